"""What arrives becomes one push: repeats dropped, rejects set aside, a cursor behind the last event.

Asks nobody and waits for nothing. The memory knows an event from its draft on, so that drafts can be made
while earlier ones are pushed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.buffer.push import Push, RecentPush
from services.jetstream.metrics import Reconnect
from services.jetstream.resume import Verdict
from services.jetstream.validate import reject_identity
from services.shared.event import Event, Gap, Reason, Reject, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.source import Source
    from services.shared.cursor import Cursor, Window


class Ending(NamedTuple):
    """A connection to be ended for what it showed, and the event time at which it showed it."""

    source: Source
    reason: Reconnect
    time_us: int


class Draft:
    """Grows by arrivals, in order, until it is pushed."""

    def __init__(self, memory: DedupWindow) -> None:
        self._memory = memory
        self._fresh: list[bytes] = []
        self._last: tuple[Source, Event] | None = None
        self._found: list[Window] = []
        self._read_again: set[Window] = set()
        self._repeats = dict.fromkeys(Stream, 0)
        self.arrivals: dict[Source, int] = {}
        """How many came by each connection, used or not."""
        self.frames = 0
        self.size = 0
        """Bytes of all frames."""
        self.first_at: float | None = None
        """Monotonic second at which the first frame came."""
        self.span_us: tuple[int, int] | None = None
        """Event times of the first and the last event that came, used or not."""
        self.elements: dict[Stream, list[bytes]] = {}
        self.gaps: list[Gap] = []
        self.rejects: Counter[str] = Counter()
        self.collections: Counter[str] = Counter()
        self.progressed: dict[Source, None] = {}
        """Connections by which something new came, in order."""
        self.endings: list[Ending] = []

    def add(
        self,
        source: Source,
        frames: Sequence[bytes],
        events: Sequence[Event | Reason],
        at: float,
        now_us: int,
    ) -> None:
        """Take in frames that came together; `events` is what validation made of them. Never fails.

        `at` is the monotonic second of their receipt, `now_us` the same moment in Unix microseconds.
        """
        self._came(source, frames, events, at)
        known, believed = self._memory.known, list[Event]()
        for frame, event in zip(frames, events, strict=True):
            if source.dead:
                break
            if isinstance(event, Reason):
                self._reject(Reject(event, frame, source.plan.host, now_us))
                continue
            is_known = event.identity in known
            if source.window is None:
                if not self._believed(source, event, known=is_known, now_us=now_us):
                    break
                believed.append(event)
                if not is_known:
                    # A repeat does not show that the host has the collection now.
                    self.collections[event.collection] += 1
            elif self._is_beyond(source, source.window, event):
                break
            self._take(source, event, known=is_known)
        if believed:
            self._last = (source, believed[-1])
            # Of what came together, the first event tells how far event time had come before.
            self._look_for_cutover(source, believed[0], at)

    def end(self, source: Source) -> None:
        """Note that all of the connection's window has come."""
        self.frames += 1
        self.arrivals[source] = self.arrivals.get(source, 0) + 1
        if source.window is not None:
            self._read_again.add(source.window)

    def note(self, gap: Gap) -> None:
        """Add a gap row; it travels in the same push as the cursor that steps over it.

        A row that was pushed before a lost reply is known by its bytes, as a reject is.
        """
        element = gap.element()
        identity = reject_identity(element)
        if identity in self._memory.known:
            return
        self.gaps.append(gap)
        self._keep(Stream.GAPS, identity, element)

    def is_worth_a_push(self) -> bool:
        """Whether anything is to be kept; repeats alone are not."""
        return bool(self.elements or self._found or self._read_again)

    def counts(self) -> Counter[str]:
        """Return what is to be added to `archive:pushed`, by `<stream>:<count>`."""
        counts: Counter[str] = Counter()
        for stream, repeats in self._repeats.items():
            pushed = len(self.elements.get(stream, ()))
            counts[f"{stream}:duplicate"] = repeats
            counts[f"{stream}:pushed"] = pushed
            if stream is not Stream.GAPS:
                counts[f"{stream}:received"] = pushed + repeats
        counts[f"{Stream.REJECTS}:rejected"] = self.rejects.total()
        return +counts

    def push(self, before: Cursor, nonce: str, owed: Counter[str], now_us: int) -> Push:
        """Close the draft: elements, and the cursor that stands behind them.

        Identities age by event time, but one host's clock far ahead must not make all of them old.
        """
        cursor = self._cursor(before, nonce)
        when_us = min(cursor.time_us, now_us)
        aged = self._memory.aged(when_us, len(self._fresh))
        return Push(
            elements=self.elements,
            cursor=cursor,
            recent=RecentPush(when_us, tuple(self._fresh)),
            forgotten=aged.elements,
            evicted_by_size=aged.evicted_by_size,
            counts=self.counts() + owed,
        )

    def newest_us(self) -> int | None:
        """Event time of the last event that a live connection gave."""
        return None if self._last is None else self._last[1].time_us

    def _came(
        self, source: Source, frames: Sequence[bytes], events: Sequence[Event | Reason], at: float
    ) -> None:
        if self.first_at is None:
            self.first_at = at
        self.frames += len(frames)
        self.size += sum(map(len, frames))
        self.arrivals[source] = self.arrivals.get(source, 0) + len(frames)
        first, last = _first_time(events), _first_time(reversed(events))
        if first is not None and last is not None:
            self.span_us = (first if self.span_us is None else self.span_us[0], last)

    def _take(self, source: Source, event: Event, *, known: bool) -> None:
        if known:
            self._repeats[event.stream] += 1
        else:
            self._keep(event.stream, event.identity, event.frame)
            self.progressed[source] = None

    def _look_for_cutover(self, source: Source, event: Event, at: float) -> None:
        found = source.cutover.see(at, event.time_us) if event.seq is None else None
        if found is not None:
            self._found.append(found)

    def _is_beyond(self, source: Source, window: Window, event: Event) -> bool:
        """Whether a window that is read once more ends before this event; it never moves the cursor."""
        if event.time_us <= window.to_us:
            return False
        source.read_through = source.dead = True
        self.endings.append(Ending(source, Reconnect.CLOSED, event.time_us))
        return True

    def _believed(self, source: Source, event: Event, *, known: bool, now_us: int) -> bool:
        if source.overlap.verdict is Verdict.PROVEN:
            return True
        verdict = source.overlap.see(event, known=known)
        if verdict in (Verdict.ANOTHER_SERVER, Verdict.STEPPED_BACK):
            source.dead = True
            self.endings.append(Ending(source, Reconnect(verdict.value), event.time_us))
            return False
        if verdict is Verdict.GAP:
            gap = source.overlap.gap(event, now_us)
            self.note(gap)
            if source.plan.wish.skip_larger or source.plan.wish.jump:
                self.endings.append(Ending(source, Reconnect.STEPPED_OVER, gap.to_us))
        return True

    def _reject(self, reject: Reject) -> None:
        self.rejects[reject.reason] += 1
        identity = reject_identity(reject.frame)
        if identity in self._memory.known:
            self._repeats[Stream.REJECTS] += 1
        else:
            self._keep(Stream.REJECTS, identity, reject.element())

    def _keep(self, stream: Stream, identity: bytes, element: bytes) -> None:
        self._memory.known.add(identity)
        self._fresh.append(identity)
        self.elements.setdefault(stream, []).append(element)

    def _cursor(self, before: Cursor, nonce: str) -> Cursor:
        windows = tuple(one for one in (*before.windows, *self._found) if one not in self._read_again)
        cursor = msgspec.structs.replace(before, push=before.push + 1, nonce=nonce, windows=windows)
        if self._last is None:
            return cursor
        source, event = self._last
        return msgspec.structs.replace(
            cursor,
            time_us=event.time_us,
            host=source.plan.host,
            kind="v1" if event.seq is None else "v2",
            seq=event.seq,
            identity=event.identity.hex(),
        )


def _first_time(events: Iterable[Event | Reason]) -> int | None:
    return next((event.time_us for event in events if not isinstance(event, Reason)), None)
