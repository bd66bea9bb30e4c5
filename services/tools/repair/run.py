"""The loop of a repair: piece by piece, from hosts or an archive, and a row for what is committed at last."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from services.shared.errors import BadInput
from services.shared.event import Gap, GapReason, Stream
from services.tools.query.intervals import Span, merged, minus, pieces
from services.tools.redis_session import EpochEnded, Moment, unsettled
from services.tools.repair.known import known_identities

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.shared.lifecycle import Stopping
    from services.tools.redis_session import Buffers
    from services.tools.repair.known import Datasets
    from services.tools.repair.push import Pushing
    from services.tools.repair.refill import Refill, Refilled
    from services.tools.repair.reread import Reading, Reread

PIECE_US = 600_000_000
"""One piece's identities are in memory at a time: ten minutes are a million at most."""
KNOWN_MARGIN_US = 300_000_000
"""Two hosts give the same event times up to minutes apart when one of them was cut off."""
ATTEMPTS_PER_HOST = 3
LOOK_SECONDS = 1.0


class Unsettled(NamedTuple):
    """An interval that was pushed and whose row is still owed."""

    span: Span
    host: str
    moment: Moment


@dataclass
class Outcome:
    """What came of a repair."""

    repaired: list[Span] = field(default_factory=list)
    """Committed and on record."""
    not_had: list[Span] = field(default_factory=list)
    """Nobody who was asked has it (any more)."""
    unsure: list[Span] = field(default_factory=list)
    """Pushed, and Redis lost its data or we were stopped before it was committed: to be done again."""
    counts: Counter[str] = field(default_factory=Counter)
    """As in `archive:pushed`: received, pushed, duplicate, rejected by stream."""
    whys: dict[str, str] = field(default_factory=dict)
    """By host or archive: why it did not bring all, the last time."""

    def total(self, what: str) -> int:
        """Return the events that were received, pushed or duplicate."""
        return sum(count for name, count in self.counts.items() if name.endswith(f":{what}"))


class Sources(NamedTuple):
    """Where a repair may read."""

    reread: Reread
    hosts: tuple[str, ...]
    """The first one first."""
    refill: Refill | None
    """An archive of segments, if there is a token for it."""
    floor_us: int
    """What lies before, the hosts need not be asked for when there is an archive."""
    far: Datasets
    """What we have already, and only in the bucket."""


class Repair:
    """Everything between the hosts and the last row."""

    def __init__(self, buffers: Buffers, sources: Sources, pushing: Pushing, stopping: Stopping) -> None:
        self._buffers = buffers
        self._sources = sources
        self._pushing = pushing
        self._stopping = stopping
        self._floors: dict[str, int] = {}
        self._owed: list[Unsettled] = []
        self._is_refused = False
        self.outcome = Outcome()

    def run(self, spans: Iterable[Span]) -> Outcome:
        """Repair these intervals: what hosts may keep from them, all else from the archive."""
        for span in spans:
            for piece in pieces(span, PIECE_US):
                missing = [piece]
                for host in self._hosts_for(piece):
                    missing = [rest for span in missing for rest in self._from(host, span)]
                missing = [rest for span in missing for rest in self._from_archive(span)]
                if not self._stopping:
                    self.outcome.not_had.extend(missing)
                    self._note(wait=False)
        self._note(wait=True)
        self.outcome.counts = self._pushing.counts
        self.outcome.repaired = merged(self.outcome.repaired)
        self.outcome.not_had = merged(self.outcome.not_had)
        return self.outcome

    def _hosts_for(self, piece: Span) -> tuple[str, ...]:
        is_old = piece.to_us <= self._sources.floor_us
        return () if is_old and self._sources.refill is not None else self._sources.hosts

    def _from(self, host: str, span: Span) -> list[Span]:
        """Read a span from one host; returns what is still missing of it."""
        missing = [span]
        for _ in range(ATTEMPTS_PER_HOST):
            if not missing or self._stopping or self._floors.get(host, 0) >= missing[-1].to_us:
                break
            asked = missing[-1]
            reading = self._buffers.until_done(lambda asked=asked: self._read(host, asked))  # type: ignore[misc]
            if reading is None:
                break
            covered = reading.covered(asked)
            if covered is not None:
                missing = minus(missing, [covered])
                if not self._owe([covered], host):
                    break
            if reading.first_us is not None and reading.first_us > asked.from_us:
                # It keeps nothing older; what is left of this span is not to be had here.
                self._floors[host] = reading.first_us
            if missing:
                self.outcome.whys[host] = reading.why
        return missing

    def _from_archive(self, span: Span) -> list[Span]:
        """Read a span from the archive of segments; returns what is still missing of it."""
        refill = self._sources.refill
        if refill is None or self._is_refused or self._stopping:
            return [span]
        try:
            read = self._buffers.until_done(lambda: self._refilled(refill, span))
        except BadInput as error:
            # It refuses us, or is none: what was pushed until then is found again by the next repair.
            self._is_refused = True
            self.outcome.whys[refill.name] = str(error)
            return [span]
        if read is None or not self._owe(read.covered, refill.name):
            return [span]
        if read.why:
            self.outcome.whys[refill.name] = read.why
        return minus([span], read.covered)

    def _owe(self, covered: list[Span], name: str) -> bool:
        """Owe a row for what is pushed; False when stopped before."""
        if not covered:
            return True
        moment = self._buffers.until_done(lambda: Moment.of(self._buffers.pusher.cursor()))
        if moment is None:
            self.outcome.unsure.extend(covered)
            return False
        self._owed.extend(Unsettled(span, name, moment) for span in covered)
        return True

    def _read(self, host: str, asked: Span) -> Reading:
        return asyncio.run(self._sources.reread.read(host, asked, self._known(asked)))

    def _refilled(self, refill: Refill, asked: Span) -> Refilled:
        return refill.read(asked, self._known(asked))

    def _known(self, asked: Span) -> set[bytes]:
        around = Span(asked.from_us - KNOWN_MARGIN_US, asked.to_us + KNOWN_MARGIN_US)
        now_us = time.time_ns() // 1000
        return known_identities(self._buffers.pusher, self._buffers.root, around, now_us, self._sources.far)

    def _note(self, *, wait: bool) -> None:
        """Push a row for each interval that is committed; `wait`: for all of them."""
        while self._owed:
            left: list[Unsettled] = []
            for one in self._owed:
                settled = self._buffers.until_done(lambda one=one: self._is_settled(one))  # type: ignore[misc]
                if settled is None:
                    left.append(one)
            self._owed = left
            if not wait or not left or self._stopping.sleep(LOOK_SECONDS):
                break
        if wait:
            self.outcome.unsure.extend(one.span for one in self._owed)

    def _is_settled(self, one: Unsettled) -> bool | None:
        """Push the row if it is due; None while it is not."""
        try:
            if unsettled(self._buffers.claims, self._buffers.root, one.moment, Stream):
                return None
        except EpochEnded:
            self.outcome.unsure.append(one.span)
            return False
        row = Gap(one.span.from_us, one.span.to_us, GapReason.REPAIRED, one.host, time.time_ns() // 1000)
        self._buffers.pusher.push({Stream.GAPS: [row.encode()]}, {f"{Stream.GAPS}:pushed": 1})
        self.outcome.repaired.append(one.span)
        return True
