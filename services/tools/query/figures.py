"""Figures of the streams, from the coverage table and footers, and figures of the running writer."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from services.archive.parquet import DamagedFile, UnreadableFile, open_part
from services.archive.paths import HOUR_US
from services.shared.event import Stream
from services.shared.http import get_direct
from services.tools.query.coverage import is_closed
from services.tools.query.parts import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.archive.coverage import CoverageRow
    from services.tools.query.parts import PartFile


@dataclass(slots=True)
class StreamFigures:
    """Totals of a stream."""

    rows: int = 0
    parts: int = 0
    bytes: int = 0
    newest_us: int | None = None
    unreadable: int = 0
    """Number of parts whose footer cannot be read; their rows are not counted."""


@dataclass(slots=True)
class ArchiveFigures:
    """Figures of all streams, and bytes by hour."""

    streams: dict[Stream, StreamFigures]
    unknown_files: int
    bytes_by_hour: dict[int, int]


def measure(root: Path, covered: Mapping[tuple[Stream, int], CoverageRow]) -> ArchiveFigures:
    """Sum up rows, parts and bytes: of closed hours from the coverage table, of others from their files.

    Raises OSError where the archive cannot be read.
    """
    found = find(root)
    figures = ArchiveFigures({stream: StreamFigures() for stream in Stream}, len(found.unknown_files), {})
    for (stream, hour), parts in _by_hour(found.parts).items():
        mine = figures.streams[stream]
        known = covered.get((stream, hour))
        if known is not None and is_closed(known) and known.parts == len(parts):
            rows, newest, size = known.rows, known.last_us, known.bytes
            mine.parts += known.parts
        else:
            rows, newest, size = _read(parts, mine)
        mine.rows += rows
        mine.bytes += size
        mine.newest_us = max(filter(None, (mine.newest_us, newest)), default=None)
        figures.bytes_by_hour[hour] = figures.bytes_by_hour.get(hour, 0) + size
    return figures


def _read(parts: Iterable[PartFile], mine: StreamFigures) -> tuple[int, int | None, int]:
    rows, newest, size = 0, 0, 0
    for part in parts:
        try:
            with open_part(part.path) as opened:
                rows += opened.rows
                size += opened.bytes
        except FileNotFoundError:  # compacted meanwhile
            continue
        except (DamagedFile, UnreadableFile):
            mine.unreadable += 1
            continue
        mine.parts += 1
        newest = max(newest, _newest(part))
    return rows, newest or None, size


def _newest(part: PartFile) -> int:
    """Return the time of the newest row: the name's, which may be of the chunk's part in a later hour."""
    return min(part.name.last_us, (part.hour + 1) * HOUR_US - 1)


def _by_hour(parts: Iterable[PartFile]) -> dict[tuple[Stream, int], list[PartFile]]:
    sorts: dict[tuple[Stream, int], list[PartFile]] = defaultdict(list)
    for part in parts:
        sorts[part.stream, part.hour].append(part)
    return sorts


_SECONDS = 3
Figures = dict[str, dict[str, float]]
"""Gauges that have a label `stream`, by name and stream."""
ASKED = ("archive_unaccounted_events", "archive_buffer_depth_events")


def ask_writer(url: str) -> Figures | None:
    """Return the figures of the writer's metrics, or None where no writer answers."""
    try:
        return read_figures(get_direct(url, seconds=_SECONDS).body.decode())
    except (OSError, ValueError):  # no answer, or not Prometheus' text
        return None


def read_figures(text: str) -> Figures:
    """Read the figures from metrics in Prometheus' text format. Raises ValueError for other text."""
    found: Figures = {name: {} for name in ASKED}
    for family in text_string_to_metric_families(text):
        if family.name in found:
            found[family.name] = {sample.labels["stream"]: sample.value for sample in family.samples}
    return found


def unaccounted(figures: Mapping[str, Mapping[str, float]]) -> dict[str, int | None]:
    """Return the unaccounted events by stream; None while the writer still counts."""
    counts = figures["archive_unaccounted_events"]
    return {stream: None if math.isnan(value) else int(value) for stream, value in counts.items()}
