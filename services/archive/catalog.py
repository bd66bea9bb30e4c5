"""What lies in the archive: each hour's files, and what their footers say; none ever changes."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from services.archive import footer as footers
from services.archive.durable import write_durably
from services.archive.paths import hour_directory, hour_of, hour_text, parse_name, stream_root
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMPARED = "archive.compared"
"""In a compacted file's footer: ids of the chunks in earlier hours that its hour was compared with."""

_NOTES = ".compared"
"""Beside the streams: what hours were compared with since they were merged, where nothing was found."""


class File(NamedTuple):
    """What is known of one file of an hour."""

    name: str
    is_compacted: bool
    rows: int
    bytes: int
    first_us: int | None
    """Least time of its rows; None where it has none."""
    last_us: int | None
    counts: footers.Counts
    removed: footers.Counts
    duplicates: int
    sources: tuple[footers.SourceChunk, ...]
    compared: frozenset[str]


class Note(msgspec.Struct, frozen=True):
    """What an hour that holds exactly these files was compared with beyond what their footers say."""

    files: tuple[str, ...]
    against: tuple[str, ...]


class Catalog:
    """The archive's hours as of the last look."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[Path, File] = {}

    def names(self, stream: Stream) -> dict[int, tuple[str, ...]]:
        """List the files of every hour of a stream."""
        return {hour: names for hour, names in _walk(stream_root(self._root, stream)) if names}

    def files(self, stream: Stream, hour: int, names: Iterable[str]) -> tuple[File, ...]:
        """Return what is known of an hour's files.

        Raises FileNotFoundError when they were just replaced, OSError, or BrokenInvariant for a file that is
        damaged or none of ours.
        """
        directory = hour_directory(self._root, stream, hour)
        return tuple(self._file(directory / name, stream) for name in names)

    def prune(self, stream: Stream, hours: dict[int, tuple[str, ...]]) -> None:
        """Forget files that are no more."""
        here = {
            hour_directory(self._root, stream, hour) / name for hour, names in hours.items() for name in names
        }
        top = stream_root(self._root, stream)
        for path in [path for path in self._files if path not in here and path.is_relative_to(top)]:
            del self._files[path]

    def _file(self, path: Path, stream: Stream) -> File:
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = read_file(path, stream)
        return known


def read_file(path: Path, stream: Stream) -> File:
    """Read a file's footer. Raises OSError, or BrokenInvariant for one that is damaged or none of ours."""
    try:
        metadata = pq.read_metadata(path)
    except pa.ArrowInvalid as error:
        raise BrokenInvariant(
            f"{path} is no Parquet file: take it out of the archive and look at its disk"
        ) from error
    raw = metadata.metadata or {}
    footer = {key.decode(): value.decode() for key, value in raw.items() if key.startswith(b"archive.")}
    name = parse_name(path.name)
    if name is None or footer.get("archive.stream") != stream:
        raise BrokenInvariant(f"{path} is no file of this archive's {stream}: take it out")
    first_us, last_us = _times(path, stream)
    counts = footers.rows_by_epoch(footer)
    if footers.rows_in(counts) != metadata.num_rows:
        raise BrokenInvariant(f"{path} has other rows than its footer says: take it out of the archive")
    return File(
        name=path.name,
        is_compacted=name.is_compacted,
        rows=metadata.num_rows,
        bytes=path.stat().st_size,
        first_us=first_us,
        last_us=last_us,
        counts=counts,
        removed=footers.removed_by_epoch(footer),
        duplicates=int(footer.get(footers.DUPLICATES, "0")),
        sources=footers.sources(footer, path.name),
        compared=frozenset(msgspec.json.decode(footer.get(COMPARED, "[]"), type=list[str])),
    )


def time_column(stream: Stream) -> str:
    """Return the column that decides a row's hour."""
    return "received_at" if stream in (Stream.REJECTS, Stream.GAPS) else "time_us"


def write_note(root: Path, stream: Stream, hour: int, note: Note) -> None:
    """Note, durably, what an hour was compared with. Raises OSError."""
    write_durably(root, _note_path(root, stream, hour), msgspec.json.encode(note))


def read_note(root: Path, stream: Stream, hour: int) -> Note | None:
    """Read what an hour was compared with; None where nothing, or nothing readable, was noted."""
    try:
        return msgspec.json.decode(_note_path(root, stream, hour).read_bytes(), type=Note)
    except (FileNotFoundError, msgspec.MsgspecError):
        # Only saves comparing once more.
        return None


def _note_path(root: Path, stream: Stream, hour: int) -> Path:
    return root / _NOTES / stream.value / f"{hour_text(hour)}.json"


def _times(path: Path, stream: Stream) -> tuple[int | None, int | None]:
    # By DuckDB, which raises for a damaged footer: looking at its statistics in pyarrow ends the process.
    column = time_column(stream)
    query = f"SELECT min({column}), max({column}) FROM read_parquet($path)"  # noqa: S608 - a name of our own
    try:
        found = _database().execute(query, {"path": str(path)}).fetchone()
    except duckdb.IOException as error:
        raise FileNotFoundError(f"{path} cannot be opened: {error}") from error
    except duckdb.Error as error:
        raise BrokenInvariant(f"{path} cannot be read ({error}): take it out of the archive") from error
    return found or (None, None)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1, "memory_limit": "64MB"})


def _walk(top: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    # Not rglob: a directory may be exchanged or go while it is walked.
    for directory, _, names in os.walk(top):
        hour = hour_of(Path(directory))
        if hour is not None:
            yield hour, tuple(sorted(names))
