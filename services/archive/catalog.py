"""What lies in the archive: each hour's files, and what their footers say; none ever changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.archive import footer as footers
from services.archive.duckdb import time_range
from services.archive.durable import write_durably
from services.archive.parquet import DamagedFile, open_part
from services.archive.paths import COMPARISONS, hour_directory, hour_of, hour_text, parse_name, stream_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.shared.event import Stream


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

        Raises as `open_part` does: FileNotFoundError when a file was just replaced.
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
    """Read what is known of a file of a stream. Raises as `open_part` does."""
    with open_part(path, stream) as part:
        footer = part.footer
        name = parse_name(path.name)
        if name is None:
            raise DamagedFile(path, "its name is not that of a part")
        counts = footers.rows_by_epoch(footer)
        if footers.rows_in(counts) != part.rows:
            raise DamagedFile(path, f"{part.rows} rows, and its footer says {footers.rows_in(counts)}")
        first_us, last_us = time_range(path, stream)
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
    return root / COMPARISONS / stream.value / f"{hour_text(hour)}.json"


def _walk(top: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    # Not rglob: a directory may be exchanged or go while it is walked.
    for directory, _, names in os.walk(top):
        hour = hour_of(Path(directory))
        if hour is not None:
            yield hour, tuple(sorted(names))
