"""The loop: look, claim, finish what was claimed; and after a round, move the checkpoints.

After any doubt the connection is opened anew and the claims are looked for again.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import structlog

from services.archive.checkpoints import sweep_checkpoints, write_checkpoint
from services.archive.paths import PREPARED, removed_path
from services.archive.swap import Step, owed, swap_prepared
from services.buffer.claims import Claims
from services.buffer.connection import Full
from services.data_writer.claim import ClaimLimits, Schedule
from services.data_writer.commit import sweep
from services.data_writer.committer import Committer
from services.data_writer.finish import Finisher
from services.data_writer.ledger import Ledger
from services.data_writer.recover import recover
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.retry import until_done

if TYPE_CHECKING:
    from services.buffer.claims import StoredPosition
    from services.data_writer.health import WriterHealth
    from services.data_writer.metrics import WriterMetrics
    from services.data_writer.settings import WriterSettings
    from services.shared.lifecycle import Stopping

LOOK_SECONDS = 1.0
log = structlog.get_logger()


class Writer:
    """Everything between Redis and the archive, for the streams it owns (see `ownership`)."""

    def __init__(
        self, settings: WriterSettings, metrics: WriterMetrics, health: WriterHealth, stopping: Stopping
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._claims = Claims(settings.redis_address(), stopping)
        self._is_open = False
        limits = ClaimLimits(settings.writer_interval, settings.writer_max_rows, settings.writer_max_age)
        self._schedule = Schedule(limits, time.monotonic())
        self._ledger = Ledger(settings.archive_root, settings.streams, stopping)
        committer = Committer(settings, self._ledger, metrics)
        self._finisher = Finisher(self._claims, committer, metrics, health, stopping)
        self._last_cursor: dict[Stream, str] = {}

    def run(self, *, once: bool = False) -> None:
        """Write until stopped, or one round of all streams; raises BrokenInvariant for a person to mend."""
        swept = until_done(
            self._sweep,
            self._stopping,
            self._failed,
        )
        reach(CrashPoint.RECOVER_SWEPT)
        log.info("recover.swept", staged=swept)
        while not self._stopping:
            until_done(lambda: self._turn(once=once), self._stopping, self._failed)
            if once or self._stopping.sleep(LOOK_SECONDS):
                break
        self._claims.close()

    def _sweep(self) -> int:
        root, streams = self._settings.archive_root, self._settings.streams
        return sweep(root, {*streams, Stream.REJECTS}) + sweep_checkpoints(root, streams)

    def _turn(self, *, once: bool) -> None:
        """Look at the buffers and claim what is due."""
        if not self._is_open:
            self._claims.open()
            self._is_open = True
        with contextlib.suppress(Full):
            # Nothing can be set while Redis is full, but claiming works, and it makes the room.
            for gap in recover(self._settings, self._claims):
                self._metrics.gaps.labels(gap.reason).inc()
        streams = self._settings.streams
        depths = self._claims.depths(streams)
        now = time.monotonic()
        due = list(streams) if once else self._schedule.due(depths, now)
        for stream, depth in depths.items():
            self._metrics.depth.labels(stream).set(depth)
            waited = self._schedule.oldest_wait(stream, now)
            self._metrics.waits[stream].set(time.time() - waited if waited else None)
        self._health.progress("running")
        if due:
            self._round(due)
            self._schedule.claimed(due, now, whole=len(due) == len(streams))

    def _round(self, streams: list[Stream]) -> None:
        """Commit all that is waiting in these streams, then move their checkpoints."""
        before = self._claims.position()
        if before.raw is None:
            raise Transient("the cursor was lost during a round")
        self._metrics.epochs.set(before.epoch)
        self._ledger.open(before.epoch)
        committed = [stream for stream in streams if self._write(stream, before)]
        after = self._claims.position()
        if after.raw is None or after.epoch != before.epoch:
            raise Transient("Redis lost its data during a round; its checkpoints do not count")
        for stream in committed:
            write_checkpoint(self._settings.archive_root, stream, before.raw)
            self._last_cursor[stream] = before.raw.decode()

    def _write(self, stream: Stream, before: StoredPosition) -> bool:
        """Finish the claims of a stream, take and finish its buffer; False when stopped meanwhile."""
        since = self._last_cursor.get(stream, "")
        for claim in self._claims.found(stream):
            reach(CrashPoint.CLAIM_FOUND)
            log.warning("claim.recovered", stream=stream, key=claim.key)
            self._metrics.recovered.labels(stream).inc()
            if not self._finisher.finish(claim, before, since, attempted=True):
                return False
        reach(CrashPoint.CLAIM_BEFORE_RENAME)
        taken = self._claims.take(stream, self._settings.writer_chunk)
        if taken is not None:
            reach(CrashPoint.CLAIM_AFTER_RENAME)
            self._metrics.claims.labels(stream).inc()
            if not self._finisher.finish(taken, before, since, attempted=False):
                return False
        if self._claims.found(stream):
            raise Transient(f"a claim of {stream} appeared during its round; looking again")
        self._swap(stream)
        self._balance(stream, before.epoch)
        return True

    def _swap(self, stream: Stream) -> None:
        """Let prepared files take their places, now that no claim holds what may be in what they replace."""
        root = self._settings.archive_root
        if not owed(root / PREPARED / stream.value) or not self._ledger.is_counted:
            return
        if stream is Stream.REJECTS and not self._has_no_claim():
            return
        try:
            for swapped in swap_prepared(root, stream):
                note = removed_path(root, stream, swapped.manifest.hour)
                come = swapped.files_added or (note,)
                if swapped.step is not Step.DISCARD:
                    self._ledger.swapped(swapped.files_deleted, come)
                self._metrics.swaps.labels(swapped.manifest.cause, swapped.step.name.lower()).inc()
        except (OSError, BrokenInvariant) as error:
            # The hours are whole either way, and what is owed is done next time; commits do not wait for it.
            self._metrics.swap_failures.inc()
            log.error("swap.failed", stream=stream, error=str(error))  # noqa: TRY400 - the message is the mend

    def _has_no_claim(self) -> bool:
        """Whether nobody can write to `rejects` now: every stream's chunks may have rows there."""
        if set(self._settings.streams) != set(Stream):
            log.info("swap.waits", stream=Stream.REJECTS, mend="compact it while all writers are stopped")
            return False
        return not any(self._claims.found(stream) for stream in Stream)

    def _balance(self, stream: Stream, epoch: int) -> None:
        """Close the ledger of a stream that has no claim just now."""
        tally = self._claims.tally(stream)
        if tally.epoch != epoch:
            return
        unaccounted = self._ledger.unaccounted(stream, tally.pushed, tally.waiting)
        if unaccounted is not None:
            self._metrics.unaccounted.labels(stream).set(unaccounted)
        if unaccounted:
            log.error("commit.unaccounted", stream=stream, events=unaccounted, mend="see the runbook")

    def _failed(self, error: Transient) -> None:
        self._health.trouble = str(error)
        self._metrics.retries.inc()
        self._is_open = False
