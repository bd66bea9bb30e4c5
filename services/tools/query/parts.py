"""Lists the parts of an archive by file name, reads their rows by interval, and times that a user writes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from services.archive.parquet import open_part
from services.archive.paths import HOUR_US, hour_directory, hour_of, parse_name, stream_root
from services.shared.errors import BadInput, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from services.archive.gaps import Interval
    from services.archive.paths import PartName


class PartFile(NamedTuple):
    """A part and its location."""

    path: Path
    stream: Stream
    hour: int
    """The hour of its directory, counted from 1970-01-01T00Z."""
    name: PartName


class Found(NamedTuple):
    """All files of the streams."""

    parts: list[PartFile]
    unknown_files: list[Path]
    """Files that are no parts. A reader's pattern may match them nevertheless."""


_LEVELS = 4
"""Directories below a stream: year, month, day, hour."""
ALL_HOURS = range(1 << 40)
"""Hours, counted from 1970-01-01T00Z."""


def read_time(text: str) -> int:
    """Return the Unix microseconds of `2026-07-04`, `2026-07-04T14` or `2026-07-04T14:30:00Z`.

    A time without a zone is UTC. Raises BadInput with examples.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"{text!r} is no time; write 2026-07-04, 2026-07-04T14 or 2026-07-04T14:30:00Z"
        ) from error
    aware = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return int(aware.timestamp()) * 1_000_000 + aware.microsecond


def read_hours(text: str) -> range:
    """Return the hours of `2026-07-04`, `2026-07-04T14` or `<first>..<last>`, both ends included.

    Raises BadInput with the remedy.
    """
    first, _, last = text.partition("..")
    begins, ends = read_time(first), read_time(last or first)
    whole_day = 24 if "T" not in (last or first) else 1
    hours = range(begins // HOUR_US, ends // HOUR_US + whole_day)
    if not hours:
        raise BadInput(f"{text!r} ends before it begins; write the earlier hour first")
    return hours


def find(root: Path, streams: Iterable[Stream] = tuple(Stream), hours: range = ALL_HOURS) -> Found:
    """List the files of streams and hours, without those that are removed meanwhile.

    Raises OSError where the archive cannot be read.
    """
    found = Found([], [])
    for stream in streams:
        base = stream_root(root, stream)
        for folder, names in _walk(base):
            hour = hour_of(folder) if len(folder.relative_to(base).parts) == _LEVELS else None
            for file in names:
                name = None if hour is None else parse_name(file)
                if hour is None or name is None:
                    found.unknown_files.append(folder / file)
                elif hour in hours:
                    found.parts.append(PartFile(folder / file, stream, hour, name))
    return found


def _walk(base: Path) -> Iterator[tuple[Path, list[str]]]:
    for folder, below, names in os.walk(base, onerror=_raise):
        below.sort()
        yield Path(folder), sorted(names)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def paths_in(root: Path, stream: Stream, interval: Interval) -> Iterator[Path]:
    """Yield the files of a stream in every hour that the half-open interval overlaps."""
    for hour in range(interval.from_us // HOUR_US, -(-interval.to_us // HOUR_US)):
        yield from sorted(hour_directory(root, stream, hour).glob("*.parquet"))


def row_groups(root: Path, stream: Stream, interval: Interval, names: list[str]) -> Iterator[pa.Table]:
    """Yield columns of every row group in the hours that the interval overlaps.

    Raises Transient when a file was compacted meanwhile, and what `open_part` raises.
    """
    for path in paths_in(root, stream, interval):
        try:
            with open_part(path, stream) as part:
                for index in range(part.row_groups):
                    yield part.read_row_group(index, names)
        except FileNotFoundError as error:
            raise Transient(f"{path} was compacted meanwhile; the hour is read again") from error
