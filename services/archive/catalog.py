"""What the archive holds: the files of each hour, and what their footers say.

A file never changes once it is in an hour, so a footer is read once while it is in use. Memory is bounded:
footers are cached up to a limit, and of a day nothing is kept but a token that changes with its files.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.archive import footer as footers
from services.archive.duckdb import time_range
from services.archive.durable import write_durably
from services.archive.parquet import DamagedFile, UnreadableFile, open_part
from services.archive.paths import COMPARISONS, hour_directory, hour_of, hour_text, parse_name, stream_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.archive.paths import PartName
    from services.shared.event import Stream

HOURS_A_DAY = 24
CACHED_IDS = 50_000
"""Chunk ids in all cached footers: about 12 MB, and more than five days of one stream have."""
_EMPTY = hash(())
"""The token of a day without hours."""
_UNCERTAIN_NS = 2_000_000_000
"""A directory that changed so recently may change again without a new time: file systems count in ticks."""
_IDS_A_FOOTER = 8
"""What the rest of a footer counts for, in chunk ids."""


class StreamHour(NamedTuple):
    """One hour of one stream."""

    stream: Stream
    hour: int
    """Counted from 1970."""


class File(NamedTuple):
    """The footer of one file of an hour, and its size."""

    name: str
    is_compacted: bool
    rows: int
    bytes: int
    first_us: int | None
    """Least time of its rows in Unix microseconds; None without rows."""
    last_us: int | None
    counts: footers.Counts
    removed: footers.Counts
    duplicates: int
    sources: tuple[footers.SourceChunk, ...]
    compared: frozenset[str]


class Note(msgspec.Struct, frozen=True):
    """Ids of the chunks that an hour with exactly these files was compared with, beyond their footers."""

    files: tuple[str, ...]
    against: tuple[str, ...]


class Catalog:
    """Lists the hours of one archive, and reads their footers."""

    def __init__(self, root: Path, cached_ids: int = CACHED_IDS) -> None:
        self._root = root
        self._cached_ids = cached_ids
        self._files: dict[tuple[str, int, str], File] = {}
        """Least recently used first."""
        self._held = 0
        self._serial = itertools.count()

    def days(self, stream: Stream) -> dict[int, int]:
        """Return a token for every day, counted from 1970, in which a stream has hours.

        A day's token changes when a file is added to it or leaves it.
        """
        found = {}
        for day, directory in self._directories(stream):
            token = _day_token(directory)
            if token != _EMPTY:
                found[day] = next(self._serial) if token is None else token
        return found

    def hours(self, stream: Stream, day: int) -> dict[int, tuple[str, ...]]:
        """List the files of every hour of a day that has files. Raises UnreadableFile."""
        first = day * HOURS_A_DAY
        listed = {hour: self._names(stream, hour) for hour in range(first, first + HOURS_A_DAY)}
        return {hour: names for hour, names in listed.items() if names}

    def all_hours(self, stream: Stream) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield every hour of a stream with its files, in order; days that cannot be listed are left out."""
        for day, _ in self._directories(stream):
            with contextlib.suppress(UnreadableFile):
                yield from self.hours(stream, day).items()

    def files(self, stream: Stream, hour: int, names: Iterable[str]) -> tuple[File, ...]:
        """Return the footers of an hour's files.

        Raises as `open_part` does: FileNotFoundError when a file was just replaced.
        """
        return tuple(self._file(stream, hour, name) for name in names)

    def _directories(self, stream: Stream) -> list[tuple[int, Path]]:
        """Return the directories of a stream's days, the oldest first."""
        found = []
        for directory in stream_root(self._root, stream).glob("year=*/month=*/day=*"):
            first = hour_of(directory / "hour=00")
            if first is not None:
                found.append((first // HOURS_A_DAY, directory))
        return sorted(found)

    def _names(self, stream: Stream, hour: int) -> tuple[str, ...]:
        directory = hour_directory(self._root, stream, hour)
        try:
            return tuple(sorted(path.name for path in directory.iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise UnreadableFile(directory, error) from error

    def _file(self, stream: Stream, hour: int, name: str) -> File:
        key = (stream.value, hour, name)
        known = self._files.pop(key, None)
        if known is None:
            known = read_file(hour_directory(self._root, stream, hour) / name, stream)
            self._held += _ids(known)
        self._files[key] = known
        while self._held > self._cached_ids and len(self._files) > 1:
            self._held -= _ids(self._files.pop(next(iter(self._files))))
        return known


def token_of(directories: Iterable[Path]) -> int | None:
    """Return a value that changes when an entry is added to one of these directories, or leaves it.

    None when that is unknown: one of them changed just now, was removed, or is unreadable.
    """
    seen = []
    try:
        for directory in directories:
            status = directory.stat()
            seen.append((directory.name, status.st_ino, status.st_ctime_ns))
    except OSError:
        return None
    if seen and time.time_ns() - max(changed for _, _, changed in seen) < _UNCERTAIN_NS:
        return None
    return hash(tuple(sorted(seen)))


def _day_token(directory: Path) -> int | None:
    try:
        return token_of(sorted(directory.iterdir()))
    except OSError:
        return None


def _ids(file: File) -> int:
    return _IDS_A_FOOTER + len(file.sources) + len(file.compared)


def read_file(path: Path, stream: Stream) -> File:
    """Read the footer of a file of a stream. Raises as `open_part` does."""
    with open_part(path, stream) as part:
        footer = part.footer
        name = parse_name(path.name)
        if name is None:
            raise DamagedFile(path, "its name is not that of a part")
        counts = footers.rows_by_epoch(footer)
        if footers.rows_in(counts) != part.rows:
            raise DamagedFile(path, f"{part.rows} rows, and its footer says {footers.rows_in(counts)}")
        first_us, last_us = _times(path, stream, name) if part.rows else (None, None)
        return File(
            name=path.name,
            is_compacted=name.is_compacted,
            rows=part.rows,
            bytes=part.bytes,
            first_us=first_us,
            last_us=last_us,
            counts=counts,
            removed=footers.removed_by_epoch(footer),
            duplicates=footers.duplicates(footer),
            sources=footers.sources(footer, path.name),
            compared=footers.compared(footer),
        )


def write_note(root: Path, stream: Stream, hour: int, note: Note) -> None:
    """Write, durably, what an hour was compared with. Raises OSError."""
    write_durably(root, _note_path(root, stream, hour), msgspec.json.encode(note))


def read_note(root: Path, stream: Stream, hour: int) -> Note | None:
    """Read what an hour was compared with; None without a readable note."""
    try:
        return msgspec.json.decode(_note_path(root, stream, hour).read_bytes(), type=Note)
    except (FileNotFoundError, msgspec.MsgspecError):
        # The note only saves another comparison.
        return None


def _note_path(root: Path, stream: Stream, hour: int) -> Path:
    return root / COMPARISONS / stream.value / f"{hour_text(hour)}.json"


def _times(path: Path, stream: Stream, name: PartName) -> tuple[int | None, int | None]:
    if name.is_compacted:
        return name.first_us, name.last_us
    return time_range(path, stream)
