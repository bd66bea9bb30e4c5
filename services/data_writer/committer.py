"""COMMIT, with its books: one chunk becomes durable, and the ledger and the metrics know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from services.archive.schema import Codec, Compression
from services.data_writer.commit import ChunkOrigin, commit, remove_strangers
from services.shared.crash_points import CrashPoint, reach
from services.shared.event import Stream

if TYPE_CHECKING:
    from services.data_writer.encoding.encode import EncodedChunk
    from services.data_writer.ledger import Ledger
    from services.data_writer.metrics import WriterMetrics
    from services.data_writer.settings import WriterSettings

log = structlog.get_logger()


class Committer:
    """Commits chunks for one writer, one at a time."""

    def __init__(self, settings: WriterSettings, ledger: Ledger, metrics: WriterMetrics) -> None:
        self._root = settings.archive_root
        self._compression = Compression(Codec(settings.writer_compression), _level(settings))
        self._ledger = ledger
        self._metrics = metrics

    def commit(self, stream: Stream, encoded: EncodedChunk, origin: ChunkOrigin, *, attempted: bool) -> int:
        """Make one chunk durable; returns the bytes of its parts. `attempted`: it may lie in the archive.

        Raises Transient and BrokenInvariant, as `commit` does.
        """
        root, metrics = self._root, self._metrics
        with metrics.commit_seconds.time():
            committed = commit(root, encoded, origin, self._compression)
            reach(CrashPoint.COMMIT_DURABLE)
            if attempted:
                strangers = remove_strangers(
                    root, {stream, Stream.REJECTS}, encoded.chunk.id, committed.paths
                )
                self._ledger.removed(strangers)
                for path in strangers:
                    log.warning("recover.stranger", removed=str(path.relative_to(root)))
        rows = [part.table.num_rows for part in encoded.parts]
        self._ledger.committed(stream, dict(zip(committed.paths, rows, strict=True)))
        metrics.rows.labels(stream).inc(encoded.rows)
        metrics.parts.labels(stream).inc(len(committed.paths))
        metrics.stored_bytes.labels(stream).inc(committed.bytes)
        metrics.rejects.inc(len(encoded.rejected))
        metrics.type_mismatches.inc(encoded.type_mismatches)
        metrics.newest.labels(stream).set(encoded.chunk.last_us / 1e6)
        if encoded.rejected:
            log.error(
                "encode.rejected", stream=stream, events=len(encoded.rejected), mend="see the rejects stream"
            )
        log.debug("commit.chunk", stream=stream, rows=encoded.chunk.count, parts=len(committed.paths))
        return committed.bytes


def _level(settings: WriterSettings) -> int | None:
    if settings.writer_compression_level is not None:
        return settings.writer_compression_level
    return 3 if settings.writer_compression == "zstd" else None
