"""Rows, files and bytes of each stream: of a settled hour from the coverage table, else from footers."""

from __future__ import annotations

import math
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from services.archive.parquet import DamagedFile, UnreadableFile, open_part
from services.archive.paths import HOUR_US
from services.shared.event import Stream
from services.tools.query.coverage import is_settled
from services.tools.query.parts import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.archive.coverage import CoverageRow
    from services.tools.query.parts import PartFile


@dataclass(slots=True)
class StreamFigures:
    """One stream, summed."""

    rows: int = 0
    parts: int = 0
    bytes: int = 0
    newest_us: int | None = None
    unreadable: int = 0
    """Parts whose footer cannot be read; their rows are not counted."""


@dataclass(slots=True)
class ArchiveFigures:
    """All streams, and how fast they grow."""

    streams: dict[Stream, StreamFigures]
    strays: int
    bytes_by_hour: dict[int, int]


def measure(root: Path, covered: Mapping[tuple[Stream, int], CoverageRow]) -> ArchiveFigures:
    """Sum up what lies there. Raises OSError where the archive cannot be read."""
    found = find(root)
    figures = ArchiveFigures({stream: StreamFigures() for stream in Stream}, len(found.strays), {})
    for (stream, hour), parts in _by_hour(found.parts).items():
        mine = figures.streams[stream]
        known = covered.get((stream, hour))
        if known is not None and is_settled(known) and known.parts == len(parts):
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
    """Return the greatest time in a part: its name's, which of a chunk may lie in a later hour's part."""
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
    """Return the figures, or None where nobody answers with any."""
    # Never through a proxy: it is a machine of ours that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            text = answer.read().decode()
        return read_figures(text)
    except (OSError, ValueError):  # away, or not Prometheus' text
        return None


def read_figures(text: str) -> Figures:
    """Read the figures out of Prometheus' text. Raises ValueError where it is another."""
    found: Figures = {name: {} for name in ASKED}
    for family in text_string_to_metric_families(text):
        if family.name in found:
            found[family.name] = {sample.labels["stream"]: sample.value for sample in family.samples}
    return found


def unaccounted(figures: Mapping[str, Mapping[str, float]]) -> dict[str, int | None]:
    """Return the events beyond those pushed, a stream; None while the writer still counts."""
    told = figures["archive_unaccounted_events"]
    return {stream: None if math.isnan(value) else int(value) for stream, value in told.items()}
