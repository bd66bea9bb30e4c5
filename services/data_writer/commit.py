"""COMMIT: the parts of a chunk become durable. What follows, the ack, is the caller's.

Staged beside the datasets, synced, read back, renamed into place, and the directories synced: whatever
moment the power goes, a part is there whole or not at all, and once commit() has returned it is there. The
same chunk has the same names, so doing it again is no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.archive.durable import make_directories, sync_directory, sync_open, up_to
from services.archive.parquet import check_file, write_table
from services.archive.paths import (
    Chunk,
    part_path,
    parts_pattern,
    staging_path,
    staging_root,
    stream_root,
)
from services.archive.schema import DEFAULT_COMPRESSION, SCHEMA_VERSION, Compression
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from services.data_writer.encoding.encode import EncodedChunk, Part
    from services.shared.event import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOrigin:
    """Where a chunk came from, for its parts' footers. Texts are passed through; empty means unknown."""

    writer_version: str = ""
    epoch: str = ""
    host: str = ""
    first_cursor: str = ""
    """The cursor's JSON when the round before was begun: nothing of the chunk is older."""
    last_cursor: str = ""
    """The cursor's JSON when this chunk's round was begun."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The figures of a chunk that is durable."""

    paths: tuple[Path, ...]
    """Its parts, where they lie now."""
    rows: int
    """Elements that are rows of the chunk's own stream."""
    rejected: int
    """Elements that are rows of `rejects` because they could not be encoded; with `rows`, the whole chunk."""
    bytes: int
    """Size of the files."""


def commit(
    root: Path, encoded: EncodedChunk, origin: ChunkOrigin, compression: Compression = DEFAULT_COMPRESSION
) -> Committed:
    """Make every part of the chunk durable, or raise with no staging left.

    Transient: the disk is full, failing or read-only; do it again later, nothing is to be acked now.
    BrokenInvariant: what was written does not read back.
    """
    try:
        paths, size = _make_durable(root, encoded, origin, compression)
    except OSError as error:
        raise Transient(f"cannot write the archive at {root}: {error}") from error
    return Committed(paths, encoded.rows, len(encoded.rejected), size)


def sweep(root: Path, streams: Iterable[Stream]) -> int:
    """Remove what killed attempts left staged for these streams; return how many files.

    For the streams' owner only: it would take another's work away.
    """
    try:
        staged = [path for stream in streams for path in staging_root(root, stream).glob("*.tmp")]
        _remove(staged)
    except OSError as error:
        raise Transient(f"cannot sweep the staging of {root}: {error}") from error
    return len(staged)


def remove_strangers(
    root: Path, streams: Iterable[Stream], chunk_id: str, written: Collection[Path]
) -> tuple[Path, ...]:
    """Remove the parts that bear this chunk's id and are not among `written`; return them.

    For a chunk that may have been committed before: another version may have encoded what this one rejects,
    or put another hour's share elsewhere. Searches all of the streams' hours.
    """
    try:
        pattern = parts_pattern(chunk_id)
        found = {path for stream in streams for path in stream_root(root, stream).glob(pattern)}
        strangers = tuple(sorted(found - set(written)))
        for path in strangers:
            path.unlink()
            reach(CrashPoint.COMMIT_STRANGER_REMOVED)
        for directory in sorted({path.parent for path in strangers}):
            sync_directory(directory)
    except OSError as error:
        raise Transient(f"cannot remove what an earlier attempt left in {root}: {error}") from error
    return strangers


def _make_durable(
    root: Path, encoded: EncodedChunk, origin: ChunkOrigin, compression: Compression
) -> tuple[tuple[Path, ...], int]:
    chunk = encoded.chunk
    staged = [staging_path(root, part.stream, part.hour, chunk) for part in encoded.parts]
    paths = [part_path(root, part.stream, part.hour, chunk) for part in encoded.parts]
    try:
        for number, (part, staging) in enumerate(zip(encoded.parts, staged, strict=True), 1):
            footer = _footer(part, chunk, origin, f"{number}/{len(staged)}")
            _stage(staging, part, footer, compression, root)
            check_file(staging, part.table.num_rows, part.table.schema)
            reach(CrashPoint.COMMIT_STAGED)
        size = sum(staging.stat().st_size for staging in staged)
        for staging, path in zip(staged, paths, strict=True):
            make_directories(root, path.parent)
            reach(CrashPoint.COMMIT_BEFORE_RENAME)
            staging.replace(path)
            reach(CrashPoint.COMMIT_AFTER_RENAME)
        for directory in up_to(root, paths):
            reach(CrashPoint.COMMIT_BEFORE_SYNC)
            sync_directory(directory)
            reach(CrashPoint.COMMIT_AFTER_SYNC)
    finally:
        _remove(staged)
    return tuple(paths), size


def _footer(part: Part, chunk: Chunk, origin: ChunkOrigin, number: str) -> dict[str, str]:
    return {
        "archive.schema_version": str(SCHEMA_VERSION),
        "archive.writer_version": origin.writer_version,
        "archive.stream": part.stream.value,
        "archive.source_stream": chunk.stream.value,
        "archive.epoch": origin.epoch,
        "archive.chunk_id": chunk.id,
        "archive.part": number,
        "archive.first_cursor": origin.first_cursor,
        "archive.last_cursor": origin.last_cursor,
        "archive.host": origin.host,
        "archive.rows": str(part.table.num_rows),
    }


def _stage(
    staging: Path, part: Part, footer: Mapping[str, str], compression: Compression, root: Path
) -> None:
    make_directories(root, staging.parent)
    with staging.open("wb") as file:
        write_table(file, part.stream, part.table, footer, compression)
        sync_open(file)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
