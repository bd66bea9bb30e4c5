"""What lies in the datasets, by names alone: parts, and what is none. Pure but for listing directories."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from services.data_writer.layout import HOUR_US, stream_root
from services.shared.errors import BadInput
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = re.compile(
    r"(?P<compacted>compacted-)?(?P<first>\d{16,})-(?P<last>\d{16,})-(?P<elements>\d+)-(?P<id>[0-9a-f]{24})\.parquet"
)
_HOUR = re.compile(r"year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=(\d\d)")


class PartName(NamedTuple):
    """What a part's file name says: of its chunk, or of a compacted file itself."""

    first_us: int
    last_us: int
    elements: int
    id: str
    is_compacted: bool


class PartFile(NamedTuple):
    """A part where it lies."""

    path: Path
    stream: Stream
    hour: int
    """Of its directory, counted from 1970-01-01T00Z."""
    name: PartName


class Found(NamedTuple):
    """Everything below the datasets' roots."""

    parts: list[PartFile]
    strays: list[Path]
    """Files that are no parts: a reader's pattern may reach them all the same."""


ALL_HOURS = range(1 << 40)
"""Hours are counted from 1970-01-01T00Z."""


def read_name(name: str) -> PartName | None:
    """Return what a file's name says, or None if it is no part's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    first, last, elements = (int(match[field]) for field in ("first", "last", "elements"))
    return PartName(first, last, elements, match["id"], match["compacted"] is not None)


def read_hour(directory: str) -> int | None:
    """Return the hour of `year=…/month=…/day=…/hour=…`, or None."""
    match = _HOUR.fullmatch(directory)
    if match is None:
        return None
    try:
        year, month, day, hour = (int(part) for part in match.groups())
        start = datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None
    return int(start.timestamp()) // 3600


def hour_directory(hour: int) -> str:
    """Return the directory of an hour below a stream's root."""
    start = start_of(hour)
    return f"year={start.year:04d}/month={start.month:02d}/day={start.day:02d}/hour={start.hour:02d}"


def start_of(hour: int) -> datetime:
    """Return the first instant of an hour."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def hour_text(hour: int) -> str:
    """Return an hour as people write it."""
    return start_of(hour).strftime("%Y-%m-%dT%HZ")


def read_time(text: str) -> int:
    """Return the Unix microseconds of `2026-07-04`, `2026-07-04T14` or `2026-07-04T14:30:00Z`.

    UTC where no zone is given. Raises BadInput with the mend.
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
    """Return the hours of `2026-07-04`, `2026-07-04T14` or `<first>..<last>`, both ends in.

    Raises BadInput with the mend.
    """
    first, _, last = text.partition("..")
    begins, ends = read_time(first), read_time(last or first)
    whole_day = 24 if "T" not in (last or first) else 1
    hours = range(begins // HOUR_US, ends // HOUR_US + whole_day)
    if not hours:
        raise BadInput(f"{text!r} ends before it begins; write the earlier hour first")
    return hours


def find(root: Path, streams: Iterable[Stream] = tuple(Stream), hours: range = ALL_HOURS) -> Found:
    """List the datasets; what vanishes meanwhile is left out.

    Raises OSError where the archive cannot be read.
    """
    found = Found([], [])
    for stream in streams:
        base = stream_root(root, stream)
        for folder, names in _walk(base):
            hour = read_hour(folder.relative_to(base).as_posix())
            for file in names:
                name = None if hour is None else read_name(file)
                if hour is None or name is None:
                    found.strays.append(folder / file)
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
