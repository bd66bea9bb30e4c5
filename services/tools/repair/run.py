"""The loop of a repair.

Reads each piece from hosts or the archive of segments, and records what is committed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from services.archive.gaps import Interval, pieces, subtract, union
from services.shared.errors import BadInput
from services.shared.event import Gap, GapReason, Stream
from services.tools.redis_session import EpochEnded, Position, uncommitted
from services.tools.repair.known import known_identities

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.shared.lifecycle import Stopping
    from services.tools.redis_session import RedisSession
    from services.tools.repair.known import Datasets
    from services.tools.repair.push import RepairPusher
    from services.tools.repair.refill import Refill, Refilled
    from services.tools.repair.reread import Reading, Reread

PIECE_US = 600_000_000
"""Length of a piece. The identities of one piece are in memory: a million at most in ten minutes."""
KNOWN_MARGIN_US = 300_000_000
"""Two hosts may give the same event times that differ by minutes, when one of them was cut off."""
ATTEMPTS_PER_HOST = 3
POLL_SECONDS = 1.0


class PendingRow(NamedTuple):
    """An interval that was pushed, and whose row `repaired` is pushed once it is committed."""

    interval: Interval
    host: str
    position: Position


@dataclass
class Outcome:
    """Result of a repair."""

    repaired: list[Interval] = field(default_factory=list)
    """Committed and recorded in `gaps`."""
    unavailable: list[Interval] = field(default_factory=list)
    """No source that was read has these intervals."""
    unconfirmed: list[Interval] = field(default_factory=list)
    """Pushed, but Redis lost its data or the command was stopped before they were committed.

    To be repeated.
    """
    counts: Counter[str] = field(default_factory=Counter)
    """As in `archive:pushed`: received, pushed, duplicate and rejected events by stream."""
    reasons: dict[str, str] = field(default_factory=dict)
    """By source: why its last reading was incomplete."""

    def total(self, what: str) -> int:
        """Return the number of received, pushed or duplicate events of all streams."""
        return sum(count for name, count in self.counts.items() if name.endswith(f":{what}"))


class Sources(NamedTuple):
    """Where a repair reads events, and files that are only in the bucket."""

    reread: Reread
    hosts: tuple[str, ...]
    """In the order in which they are read."""
    refill: Refill | None
    """The archive of segments, if there is a token for it."""
    floor_us: int
    """Before this time hosts are not read if there is an archive of segments."""
    remote: Datasets
    """Own events that are only in the bucket, for comparison."""


class Repair:
    """Repairs intervals."""

    def __init__(
        self, session: RedisSession, sources: Sources, pusher: RepairPusher, stopping: Stopping
    ) -> None:
        self._session = session
        self._sources = sources
        self._pusher = pusher
        self._stopping = stopping
        self._floors: dict[str, int] = {}
        self._pending: list[PendingRow] = []
        self._is_refused = False
        self.outcome = Outcome()

    def run(self, intervals: Iterable[Interval]) -> Outcome:
        """Repair intervals.

        Recent ones from hosts, all others and what is missing from the archive of segments.
        """
        for interval in intervals:
            for piece in pieces(interval, PIECE_US):
                missing = [piece]
                for host in self._hosts_for(piece):
                    missing = [rest for interval in missing for rest in self._from(host, interval)]
                missing = [rest for interval in missing for rest in self._from_archive(interval)]
                if not self._stopping:
                    self.outcome.unavailable.extend(missing)
                    self._record(wait=False)
        self._record(wait=True)
        self.outcome.counts = self._pusher.counts
        self.outcome.repaired = union(self.outcome.repaired)
        self.outcome.unavailable = union(self.outcome.unavailable)
        return self.outcome

    def _hosts_for(self, piece: Interval) -> tuple[str, ...]:
        is_old = piece.to_us <= self._sources.floor_us
        return () if is_old and self._sources.refill is not None else self._sources.hosts

    def _from(self, host: str, interval: Interval) -> list[Interval]:
        """Read an interval from one host; return what is still missing of it."""
        missing = [interval]
        for _ in range(ATTEMPTS_PER_HOST):
            if not missing or self._stopping or self._floors.get(host, 0) >= missing[-1].to_us:
                break
            asked = missing[-1]
            reading = self._session.until_done(lambda asked=asked: self._read(host, asked))  # type: ignore[misc]
            if reading is None:
                break
            covered = reading.covered(asked)
            if covered is not None:
                missing = subtract(missing, [covered])
                if not self._add_pending([covered], host):
                    break
            if reading.first_us is not None and reading.first_us > asked.from_us:
                # The host keeps nothing older.
                self._floors[host] = reading.first_us
            if missing:
                self.outcome.reasons[host] = reading.why
        return missing

    def _from_archive(self, interval: Interval) -> list[Interval]:
        """Read an interval from the archive of segments; return what is still missing of it."""
        refill = self._sources.refill
        if refill is None or self._is_refused or self._stopping:
            return [interval]
        try:
            read = self._session.until_done(lambda: self._refilled(refill, interval))
        except BadInput as error:
            # It refuses requests. Events pushed before are recognized as known by the next repair.
            self._is_refused = True
            self.outcome.reasons[refill.name] = str(error)
            return [interval]
        if read is None or not self._add_pending(read.covered, refill.name):
            return [interval]
        if read.why:
            self.outcome.reasons[refill.name] = read.why
        return subtract([interval], read.covered)

    def _add_pending(self, covered: list[Interval], name: str) -> bool:
        """Record intervals as pushed; return False when stopped before."""
        if not covered:
            return True
        position = self._session.until_done(lambda: Position.of(self._session.pusher.cursor()))
        if position is None:
            self.outcome.unconfirmed.extend(covered)
            return False
        self._pending.extend(PendingRow(interval, name, position) for interval in covered)
        return True

    def _read(self, host: str, asked: Interval) -> Reading:
        return asyncio.run(self._sources.reread.read(host, asked, self._known(asked)))

    def _refilled(self, refill: Refill, asked: Interval) -> Refilled:
        return refill.read(asked, self._known(asked))

    def _known(self, asked: Interval) -> set[bytes]:
        around = Interval(asked.from_us - KNOWN_MARGIN_US, asked.to_us + KNOWN_MARGIN_US)
        now_us = time.time_ns() // 1000
        return known_identities(
            self._session.pusher, self._session.root, around, now_us, self._sources.remote
        )

    def _record(self, *, wait: bool) -> None:
        """Push a row `repaired` for each committed interval; with `wait`, until all are committed."""
        while self._pending:
            left: list[PendingRow] = []
            for one in self._pending:
                recorded = self._session.until_done(lambda one=one: self._record_if_committed(one))  # type: ignore[misc]
                if recorded is None:
                    left.append(one)
            self._pending = left
            if not wait or not left or self._stopping.sleep(POLL_SECONDS):
                break
        if wait:
            self.outcome.unconfirmed.extend(one.interval for one in self._pending)

    def _record_if_committed(self, one: PendingRow) -> bool | None:
        """Push the row.

        Return None while events of the interval are uncommitted, False if that is unknown.
        """
        try:
            if uncommitted(self._session.claims, self._session.root, one.position, Stream):
                return None
        except EpochEnded:
            self.outcome.unconfirmed.append(one.interval)
            return False
        row = Gap(
            one.interval.from_us, one.interval.to_us, GapReason.REPAIRED, one.host, time.time_ns() // 1000
        )
        self._session.pusher.push({Stream.GAPS: [row.encode()]}, {f"{Stream.GAPS}:pushed": 1})
        self.outcome.repaired.append(one.interval)
        return True
