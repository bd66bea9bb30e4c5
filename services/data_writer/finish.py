"""A claim becomes parts: its chunks are read, encoded, committed, and then acked.

Data first, pointer second, ack last. Two chunks are in hand at a time, whatever is waiting: one is read and
encoded, slice by slice, while the one before is committed. What is read and committed lies under one WATCH
and is acked with one LTRIM, so that whoever touched the claim meanwhile voids all of it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from services.data_writer.commit import ChunkOrigin
from services.data_writer.encoding.encode import encode
from services.shared.crash_points import CrashPoint, reach
from services.shared.version import VERSION

if TYPE_CHECKING:
    from concurrent.futures import Future

    from services.buffer.claims import Claim, Claims, StoredPosition
    from services.data_writer.committer import Committer
    from services.data_writer.health import WriterHealth
    from services.data_writer.metrics import WriterMetrics
    from services.shared.lifecycle import Stopping

CHUNKS_AN_ACK = 4
"""What is acked at once is done again after a kill, and stands in Redis until then.

Never fewer than in an earlier release: so many chunks are looked through for what its attempt left."""
log = structlog.get_logger()


class Finisher:
    """Makes claims durable for one writer."""

    def __init__(
        self,
        claims: Claims,
        committer: Committer,
        metrics: WriterMetrics,
        health: WriterHealth,
        stopping: Stopping,
    ) -> None:
        self._claims = claims
        self._committer = committer
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._writing = ThreadPoolExecutor(1, "commit")

    def finish(self, claim: Claim, before: StoredPosition, first_cursor: str, *, attempted: bool) -> bool:
        """Commit and ack all of a claim; False when stopped meanwhile.

        `before` is where the ingester stood before the claim was taken, `first_cursor` where at the round
        before. `attempted`: its first chunks may lie in the archive. Raises Transient, and BrokenInvariant
        for a person to mend.
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
        """Make the next chunks durable; returns how many elements may be acked, and their parts' bytes."""
        count, raw, commit = 0, 0, self._committer.commit
        commits: list[Future[int]] = []
        try:
            with self._claims.reading(claim, CHUNKS_AN_ACK) as reading:
                for _ in range(CHUNKS_AN_ACK):
                    # The first is worked on even then: none would mean that the claim is empty.
                    if count and self._stopping:
                        break
                    began = time.monotonic()
                    elements = chain.from_iterable(reading.next_chunk())
                    encoded = encode(claim.stream, elements, origin.host)
                    if not encoded.chunk.count:
                        break
                    self._metrics.encode_seconds.observe(time.monotonic() - began)
                    count += encoded.chunk.count
                    raw += encoded.raw_bytes
                    if commits:
                        commits[-1].result()
                        self._health.progress("running")
                    commits.append(
                        self._writing.submit(commit, claim.stream, encoded, origin, attempted=attempted)
                    )
        finally:
            wait(commits)
        written = sum(done.result() for done in commits)
        self._metrics.raw_bytes.labels(claim.stream).inc(raw)
        self._health.progress("running")
        return count, written
