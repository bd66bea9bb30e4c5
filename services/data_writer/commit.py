"""Commit: make the chunks of a claim durable as Parquet files, count them, and acknowledge them in Redis.

The order is data first, pointer second, ack last. A part is staged beside the datasets, synced, read back and
renamed into place, and its directories are synced: after a power cut a part is whole or absent, and once
commit() has returned it is there. A retry overwrites its own files: their names are a function of the chunk.

Two chunks are in memory at a time, however many are waiting: one is read and encoded, slice by slice, while
the one before it is committed. Chunks read under one WATCH are acknowledged by one LTRIM, so a change of the
claim by anybody else aborts the whole ack.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import structlog

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
from services.archive.schema import DEFAULT_COMPRESSION, SCHEMA_VERSION, Codec, Compression
from services.data_writer.encoding.encode import encode
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient
from services.shared.event import Stream
from services.shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from services.buffer.claims import Claim, Claims, StoredPosition
    from services.data_writer.encoding.encode import EncodedChunk, Part
    from services.data_writer.health import WriterHealth
    from services.data_writer.ledger import Ledger
    from services.data_writer.metrics import WriterMetrics
    from services.data_writer.settings import WriterSettings
    from services.shared.lifecycle import Stopping

CHUNKS_PER_ACK = 4
"""Chunks acknowledged at once. After a kill they are committed again, and until then they stay in Redis.

Must never be lowered: after an upgrade, this many chunks are searched for parts of an earlier attempt."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOrigin:
    """Where a chunk came from, for the footers of its parts; an empty text means unknown."""

    writer_version: str = ""
    epoch: str = ""
    host: str = ""
    first_cursor: str = ""
    """The cursor's JSON at the start of the previous round: nothing in the chunk is older."""
    last_cursor: str = ""
    """The cursor's JSON at the start of this chunk's round."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A chunk that is durable."""

    paths: tuple[Path, ...]
    """Its parts."""
    rows: int
    """Events that are rows of the chunk's own stream."""
    rejected: int
    """Events that are rows of `rejects` because they could not be encoded; `rows` counts the others."""
    bytes: int
    """Size of the parts."""


class ClaimCommitter:
    """Commits the claims of one writer."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that a commit reads and updates
        self,
        settings: WriterSettings,
        claims: Claims,
        ledger: Ledger,
        metrics: WriterMetrics,
        health: WriterHealth,
        stopping: Stopping,
    ) -> None:
        self._root = settings.archive_root
        self._compression = Compression(Codec(settings.writer_compression), _level(settings))
        self._claims = claims
        self._ledger = ledger
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._executor = ThreadPoolExecutor(1, "commit")

    def commit_claim(
        self, claim: Claim, before: StoredPosition, first_cursor: str, *, attempted: bool
    ) -> bool:
        """Commit and acknowledge a whole claim; return False if stopped meanwhile.

        `before` is the ingester's position when the round began, `first_cursor` its cursor one round earlier.
        `attempted`: the claim's first chunks may be in the archive already. Raises Transient, and
        BrokenInvariant for what needs a person.
        """
        origin = ChunkOrigin(
            writer_version=VERSION,
            epoch=str(before.epoch),
            host=before.cursor.host if before.cursor else "",
            first_cursor=first_cursor,
            last_cursor=(before.raw or b"").decode(),
        )
        rows = size = 0
        began = time.monotonic()
        while not self._stopping:
            count, written = self._commit_next(claim, origin, attempted=attempted)
            if not count:
                seconds = round(time.monotonic() - began, 3)
                log.info("commit.done", stream=claim.stream, rows=rows, bytes=size, seconds=seconds)
                return True
            reach(CrashPoint.ACK_BEFORE_TRIM)
            self._claims.ack(claim, count)
            reach(CrashPoint.ACK_AFTER_TRIM)
            log.debug("ack", stream=claim.stream, events=count)
            rows += count
            size += written
            attempted = False
        return False

    def _commit_next(self, claim: Claim, origin: ChunkOrigin, *, attempted: bool) -> tuple[int, int]:
        """Make the next chunks durable; return the number of events to acknowledge and the parts' bytes."""
        count, raw = 0, 0
        commits: list[Future[int]] = []
        try:
            with self._claims.read(claim, CHUNKS_PER_ACK) as reading:
                for _ in range(CHUNKS_PER_ACK):
                    # The first chunk is committed even when stopping: a count of 0 means an empty claim.
                    if count and self._stopping:
                        break
                    began = time.monotonic()
                    events = chain.from_iterable(reading.next_chunk())
                    encoded = encode(claim.stream, events, origin.host)
                    if not encoded.chunk.count:
                        break
                    self._metrics.encode_seconds.observe(time.monotonic() - began)
                    count += encoded.chunk.count
                    raw += encoded.raw_bytes
                    if commits:
                        commits[-1].result()
                        self._health.progress("running")
                    commits.append(
                        self._executor.submit(self._commit_chunk, encoded, origin, attempted=attempted)
                    )
        finally:
            wait(commits)
        written = sum(done.result() for done in commits)
        self._metrics.raw_bytes.labels(claim.stream).inc(raw)
        self._health.progress("running")
        return count, written

    def _commit_chunk(self, encoded: EncodedChunk, origin: ChunkOrigin, *, attempted: bool) -> int:
        """Make one chunk durable, enter it in ledger and metrics, and return the bytes of its parts."""
        root, metrics, chunk = self._root, self._metrics, encoded.chunk
        stream = chunk.stream
        with metrics.commit_seconds.time():
            committed = commit(root, encoded, origin, self._compression)
            reach(CrashPoint.COMMIT_DURABLE)
            if attempted:
                stale = remove_stale_parts(root, {stream, Stream.REJECTS}, chunk.id, committed.paths)
                self._ledger.removed(stale)
                for path in stale:
                    log.warning("recover.stale_part_removed", path=str(path.relative_to(root)))
        rows = [part.table.num_rows for part in encoded.parts]
        self._ledger.committed(stream, dict(zip(committed.paths, rows, strict=True)))
        metrics.rows.labels(stream).inc(encoded.rows)
        metrics.parts.labels(stream).inc(len(committed.paths))
        metrics.stored_bytes.labels(stream).inc(committed.bytes)
        metrics.rejects.inc(len(encoded.rejected))
        metrics.type_mismatches.inc(encoded.type_mismatches)
        metrics.newest.labels(stream).set(chunk.last_us / 1e6)
        if encoded.rejected:
            remedy = "report it with the rows of `rejects`: an encoder defect"
            log.error("encode.rejected", stream=stream, events=len(encoded.rejected), remedy=remedy)
        log.debug("commit.chunk", stream=stream, rows=chunk.count, parts=len(committed.paths))
        return committed.bytes


def commit(
    root: Path, encoded: EncodedChunk, origin: ChunkOrigin, compression: Compression = DEFAULT_COMPRESSION
) -> Committed:
    """Make every part of the chunk durable, or raise and leave nothing staged.

    Raises Transient if the disk is full, failing or read-only: nothing may be acknowledged, and the chunk is
    committed again later. Raises BrokenInvariant if a written part does not read back.
    """
    try:
        paths, size = _make_durable(root, encoded, origin, compression)
    except OSError as error:
        raise Transient(f"cannot write the archive at {root}: {error}") from error
    return Committed(paths, encoded.rows, len(encoded.rejected), size)


def sweep(root: Path, streams: Iterable[Stream]) -> int:
    """Delete the staged files that killed attempts left for these streams; return how many.

    Only for the owner of the streams: another writer's files may be in use.
    """
    try:
        staged = [path for stream in streams for path in staging_root(root, stream).glob("*.tmp")]
        _remove(staged)
    except OSError as error:
        raise Transient(f"cannot sweep the staging of {root}: {error}") from error
    return len(staged)


def remove_stale_parts(
    root: Path, streams: Iterable[Stream], chunk_id: str, written: Collection[Path]
) -> tuple[Path, ...]:
    """Delete the parts that have this chunk's id and are not in `written`; return their paths.

    For a chunk that may have been committed before: another version may have encoded an event that this one
    rejects, or put it in another hour. Searches all hours of the streams.
    """
    try:
        pattern = parts_pattern(chunk_id)
        found = {path for stream in streams for path in stream_root(root, stream).glob(pattern)}
        stale = tuple(sorted(found - set(written)))
        for path in stale:
            path.unlink()
            reach(CrashPoint.COMMIT_STALE_PART_REMOVED)
        for directory in sorted({path.parent for path in stale}):
            sync_directory(directory)
    except OSError as error:
        raise Transient(f"cannot remove the parts of an earlier attempt in {root}: {error}") from error
    return stale


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


def _level(settings: WriterSettings) -> int | None:
    if settings.writer_compression_level is not None:
        return settings.writer_compression_level
    return 3 if settings.writer_compression == "zstd" else None
