"""The writer's loop: poll the buffers, claim the streams that are due, commit their claims, move checkpoints.

After any Transient error the connection is opened anew and existing claims are looked for again.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.archive.checkpoints import sweep_checkpoints, write_checkpoint
from services.archive.paths import removed_path
from services.archive.swap import Step, pending_manifests, swap_hour
from services.buffer.claims import Claims
from services.buffer.connection import Full
from services.data_writer.commit import ClaimCommitter, sweep
from services.data_writer.ledger import Ledger
from services.data_writer.recover import recover
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import ArchiveError, Transient
from services.shared.event import Stream
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.buffer.claims import StoredPosition
    from services.data_writer.health import WriterHealth
    from services.data_writer.metrics import WriterMetrics
    from services.data_writer.settings import WriterSettings
    from services.shared.lifecycle import Stopping

POLL_SECONDS = 1.0
log = structlog.get_logger()


class ClaimLimits(NamedTuple):
    """Claim every `interval` seconds; earlier if `rows` events wait or one has waited `age` seconds."""

    interval: float
    rows: int
    age: float


@dataclass
class Schedule:
    """When each stream is due to be claimed; pure. All times are monotonic seconds.

    Waiting counts from when the writer first saw the buffer filled, not from event time: while an outage of
    hours is caught up every event is old, and parts would be tiny.
    """

    limits: ClaimLimits
    round_at: float
    """When the last round of all streams began."""
    _waiting: dict[Stream, float] = field(default_factory=dict)

    def due(self, depths: Mapping[Stream, int], now: float) -> list[Stream]:
        """Return the streams to claim now: every interval all of them, empty ones too."""
        for stream, depth in depths.items():
            # An empty list may be a claim whose round failed: its events still wait.
            if depth:
                self._waiting.setdefault(stream, now)
        if now - self.round_at >= self.limits.interval:
            return list(depths)
        return [
            stream
            for stream, depth in depths.items()
            if depth >= self.limits.rows or now - self._waiting.get(stream, now) >= self.limits.age
        ]

    def claimed(self, streams: list[Stream], now: float, *, whole: bool) -> None:
        """Record a round that claimed these streams; `whole`: every stream."""
        for stream in streams:
            self._waiting.pop(stream, None)
        if whole:
            self.round_at = now

    def oldest_wait(self, stream: Stream, now: float) -> float:
        """Return for how many seconds the stream's oldest event has been seen waiting."""
        return now - self._waiting.get(stream, now)


class Writer:
    """Moves events from Redis to the archive, for the streams whose locks this process holds."""

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
        self._committer = ClaimCommitter(settings, self._claims, self._ledger, metrics, health, stopping)
        self._last_cursor: dict[Stream, str] = {}

    def run(self, *, once: bool = False) -> None:
        """Write until stopped, or one round of all streams. Raises BrokenInvariant if a person must act."""
        swept = until_done(self._sweep, self._stopping, self._on_failure)
        reach(CrashPoint.RECOVER_SWEPT)
        log.info("recover.swept", staged=swept)
        while not self._stopping:
            until_done(lambda: self._poll(once=once), self._stopping, self._on_failure)
            if once or self._stopping.sleep(POLL_SECONDS):
                break
        self._claims.close()

    def _sweep(self) -> int:
        root, streams = self._settings.archive_root, self._settings.streams
        return sweep(root, {*streams, Stream.REJECTS}) + sweep_checkpoints(root, streams)

    def _poll(self, *, once: bool) -> None:
        """Measure the buffers and run a round of the streams that are due."""
        if not self._is_open:
            self._claims.open()
            self._is_open = True
        with contextlib.suppress(Full):
            # While Redis is full the cursor cannot be set, but claiming works and makes room.
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
        self._metrics.unreadable.set(len(self._ledger.unreadable))
        self._health.ledger_error = self._ledger.error
        self._health.progress("running")
        if due:
            self._round(due)
            self._schedule.claimed(due, now, whole=len(due) == len(streams))

    def _round(self, streams: list[Stream]) -> None:
        """Commit everything that is waiting in these streams, then move their checkpoints."""
        before = self._claims.position()
        if before.raw is None:
            raise Transient("the cursor was lost during a round")
        self._metrics.epochs.set(before.epoch)
        self._ledger.open(before.epoch)
        committed = [stream for stream in streams if self._write(stream, before)]
        after = self._claims.position()
        if after.raw is None or after.epoch != before.epoch:
            raise Transient("Redis lost its data during a round; no checkpoint is moved")
        for stream in committed:
            write_checkpoint(self._settings.archive_root, stream, before.raw)
            self._last_cursor[stream] = before.raw.decode()

    def _write(self, stream: Stream, before: StoredPosition) -> bool:
        """Commit a stream's existing claims, then claim and commit its buffer; False if stopped meanwhile."""
        first_cursor = self._last_cursor.get(stream, "")
        for claim in self._claims.find(stream):
            reach(CrashPoint.CLAIM_FOUND)
            log.warning("claim.recovered", stream=stream, key=claim.key)
            self._metrics.recovered.labels(stream).inc()
            if not self._committer.commit_claim(claim, before, first_cursor, attempted=True):
                return False
        reach(CrashPoint.CLAIM_BEFORE_RENAME)
        taken = self._claims.take(stream, self._settings.writer_chunk)
        if taken is not None:
            reach(CrashPoint.CLAIM_AFTER_RENAME)
            self._metrics.claims.labels(stream).inc()
            if not self._committer.commit_claim(taken, before, first_cursor, attempted=False):
                return False
        if self._claims.find(stream):
            raise Transient(f"a claim of {stream} appeared during its round; the round is repeated")
        self._swap(stream)
        self._check_balance(stream, before.epoch)
        return True

    def _swap(self, stream: Stream) -> None:
        """Swap in the prepared files of a stream that has no claim, so that no input is committed again."""
        root = self._settings.archive_root
        manifests = pending_manifests(root, stream)
        if not manifests or not self._ledger.is_counted:
            return
        if stream is Stream.REJECTS and not self._has_no_claim():
            return
        for path in manifests:
            try:
                swapped = swap_hour(root, path)
            except (OSError, ArchiveError) as error:
                # An hour is whole before and after a swap; the next round tries again, nothing else waits.
                self._metrics.swap_failures.inc()
                log.error("swap.failed", path=str(path), error=str(error))  # noqa: TRY400 - names the remedy
                continue
            if swapped.step is not Step.DISCARD:
                note = removed_path(root, stream, swapped.manifest.hour)
                self._ledger.swapped(swapped.files_deleted, swapped.files_added or (note,))
            self._metrics.swaps.labels(swapped.manifest.cause, swapped.step.name.lower()).inc()

    def _has_no_claim(self) -> bool:
        """Return whether nobody can write to `rejects` now: chunks of every stream may have rows there."""
        if set(self._settings.streams) != set(Stream):
            remedy = "compact it while all writers are stopped"
            log.info("swap.postponed", stream=Stream.REJECTS, remedy=remedy)
            return False
        return not any(self._claims.find(stream) for stream in Stream)

    def _check_balance(self, stream: Stream, epoch: int) -> None:
        """Compare pushed and committed events of a stream that has no claim now."""
        tally = self._claims.tally(stream)
        if tally.epoch != epoch:
            return
        unaccounted = self._ledger.unaccounted(stream, tally.pushed, tally.waiting)
        if unaccounted is not None:
            self._metrics.unaccounted.labels(stream).set(unaccounted)
        if unaccounted:
            remedy = "see UnaccountedEvents in monitoring/runbook.md"
            log.error("commit.unaccounted", stream=stream, events=unaccounted, remedy=remedy)

    def _on_failure(self, error: Transient) -> None:
        self._health.last_error = str(error)
        self._metrics.retries.inc()
        self._is_open = False
