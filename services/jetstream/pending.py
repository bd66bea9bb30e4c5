"""Builds one push from arriving frames: drops repeats, keeps rejects, finds gaps, derives the next cursor.

Pure apart from the deduplication window, which contains an event as soon as it is added here, so that pending
pushes can be filled while earlier ones are being pushed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.buffer.push import Push, RecentPush
from services.jetstream.connection import DisconnectReason
from services.jetstream.resume import ContinuityResult
from services.jetstream.validate import reject_identity
from services.shared.event import Event, Gap, Reason, Reject, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.jetstream.connection import ConnectionState
    from services.jetstream.dedup import DedupWindow
    from services.shared.cursor import Cursor, Window


class Ending(NamedTuple):
    """A connection that must be ended for what it sent, and the time of the event that showed it."""

    connection: ConnectionState
    reason: DisconnectReason
    time_us: int


class PendingPush:
    """Collects arriving frames, in order, until it is pushed."""

    def __init__(self, dedup: DedupWindow) -> None:
        self._dedup = dedup
        self._identities: list[bytes] = []
        self._last: tuple[ConnectionState, Event] | None = None
        self._new_windows: list[Window] = []
        self._reread_windows: set[Window] = set()
        self._repeats = dict.fromkeys(Stream, 0)
        self.arrivals: dict[ConnectionState, int] = {}
        """Frames by connection, used or not."""
        self.frames = 0
        self.size = 0
        """Bytes of all frames."""
        self.first_at: float | None = None
        """Monotonic second at which the first frame arrived."""
        self.time_range_us: tuple[int, int] | None = None
        """Times of the first and the last event that arrived, used or not."""
        self.elements: dict[Stream, list[bytes]] = {}
        """What is pushed to each stream's list."""
        self.gaps: list[Gap] = []
        self.rejects: Counter[str] = Counter()
        self.collections: Counter[str] = Counter()
        """New events by collection."""
        self.progressed: dict[ConnectionState, None] = {}
        """Connections that brought a new event, in order."""
        self.endings: list[Ending] = []

    def add(
        self,
        connection: ConnectionState,
        frames: Sequence[bytes],
        events: Sequence[Event | Reason],
        at: float,
        now_us: int,
    ) -> None:
        """Add frames that arrived together; `events` are their validation results. Raises nothing.

        `at` is the monotonic second of arrival, `now_us` the same moment in Unix microseconds.
        """
        self._count_arrivals(connection, frames, events, at)
        known, live = self._dedup.known, list[Event]()
        for frame, event in zip(frames, events, strict=True):
            if connection.is_discarded:
                break
            if isinstance(event, Reason):
                self._reject(Reject(event, frame, connection.plan.host, now_us))
                continue
            is_known = event.identity in known
            if connection.window is None:
                if not self._is_trusted(connection, event, known=is_known, now_us=now_us):
                    break
                live.append(event)
                if not is_known:
                    # A repeat does not show that the host sends the collection now.
                    self.collections[event.collection] += 1
            elif self._is_beyond(connection, connection.window, event):
                break
            self._keep_or_count(connection, event, known=is_known)
        if live:
            self._last = (connection, live[-1])
            # Use the first event's time as the batch's arrival time.
            self._find_cutover(connection, live[0], at)

    def complete_window(self, connection: ConnectionState) -> None:
        """Remove the connection's window from the cursor: all of it has arrived."""
        self.frames += 1
        self.arrivals[connection] = self.arrivals.get(connection, 0) + 1
        if connection.window is not None:
            self._reread_windows.add(connection.window)

    def add_gap(self, gap: Gap) -> None:
        """Add a gap row; it is pushed together with the cursor that steps over the gap.

        A row that an earlier push stored before its reply was lost is recognized by its bytes, like a reject.
        """
        row = gap.encode()
        identity = reject_identity(row)
        if identity in self._dedup.known:
            return
        self.gaps.append(gap)
        self._keep(Stream.GAPS, identity, row)

    def is_worth_pushing(self) -> bool:
        """Whether there is anything to store; repeats alone are not pushed."""
        return bool(self.elements or self._new_windows or self._reread_windows)

    def counts(self) -> Counter[str]:
        """Return the additions to `archive:pushed`, by `<stream>:<count>`."""
        counts: Counter[str] = Counter()
        for stream, repeats in self._repeats.items():
            pushed = len(self.elements.get(stream, ()))
            counts[f"{stream}:duplicate"] = repeats
            counts[f"{stream}:pushed"] = pushed
            if stream is not Stream.GAPS:
                counts[f"{stream}:received"] = pushed + repeats
        counts[f"{Stream.REJECTS}:rejected"] = self.rejects.total()
        return +counts

    def build(self, before: Cursor, nonce: str, unpushed_counts: Counter[str], now_us: int) -> Push:
        """Return the push: all elements, and the cursor that follows `before` and stands behind them.

        Identities are evicted by event time, but never by a time later than `now_us`: one event from a host
        whose clock is far ahead must not evict all of them.
        """
        cursor = self._cursor(before, nonce)
        when_us = min(cursor.time_us, now_us)
        evicted = self._dedup.to_evict(when_us, len(self._identities))
        return Push(
            elements=self.elements,
            cursor=cursor,
            recent=RecentPush(when_us, tuple(self._identities)),
            evicted=evicted.pushes,
            evicted_by_size=evicted.by_size,
            counts=self.counts() + unpushed_counts,
        )

    def newest_us(self) -> int | None:
        """Return the time of the last event that a live connection sent; None without one."""
        return None if self._last is None else self._last[1].time_us

    def _count_arrivals(
        self,
        connection: ConnectionState,
        frames: Sequence[bytes],
        events: Sequence[Event | Reason],
        at: float,
    ) -> None:
        if self.first_at is None:
            self.first_at = at
        self.frames += len(frames)
        self.size += sum(map(len, frames))
        self.arrivals[connection] = self.arrivals.get(connection, 0) + len(frames)
        first, last = _first_time(events), _first_time(reversed(events))
        if first is not None and last is not None:
            self.time_range_us = (first if self.time_range_us is None else self.time_range_us[0], last)

    def _keep_or_count(self, connection: ConnectionState, event: Event, *, known: bool) -> None:
        if known:
            self._repeats[event.stream] += 1
        else:
            self._keep(event.stream, event.identity, event.frame)
            self.progressed[connection] = None

    def _find_cutover(self, connection: ConnectionState, event: Event, at: float) -> None:
        window = connection.cutover.see(at, event.time_us) if event.seq is None else None
        if window is not None:
            self._new_windows.append(window)

    def _is_beyond(self, connection: ConnectionState, window: Window, event: Event) -> bool:
        """Whether the event lies after the window; then the window is complete."""
        if event.time_us <= window.to_us:
            return False
        connection.complete_window()
        self.endings.append(Ending(connection, DisconnectReason.CLOSED, event.time_us))
        return True

    def _is_trusted(self, connection: ConnectionState, event: Event, *, known: bool, now_us: int) -> bool:
        """Whether the event may be used: it is not when the host is another server or its clock is behind."""
        if connection.continuity.result is ContinuityResult.PROVEN:
            return True
        result = connection.continuity.check(event, known=known)
        if result in (ContinuityResult.ANOTHER_SERVER, ContinuityResult.STEPPED_BACK):
            connection.discard()
            self.endings.append(Ending(connection, DisconnectReason(result.value), event.time_us))
            return False
        if result is ContinuityResult.GAP:
            gap = connection.continuity.gap(event, now_us)
            self.add_gap(gap)
            if connection.plan.hint.skip_larger or connection.plan.hint.jump:
                self.endings.append(Ending(connection, DisconnectReason.STEPPED_OVER, gap.to_us))
        return True

    def _reject(self, reject: Reject) -> None:
        self.rejects[reject.reason] += 1
        identity = reject_identity(reject.frame)
        if identity in self._dedup.known:
            self._repeats[Stream.REJECTS] += 1
        else:
            self._keep(Stream.REJECTS, identity, reject.encode())

    def _keep(self, stream: Stream, identity: bytes, element: bytes) -> None:
        self._dedup.known.add(identity)
        self._identities.append(identity)
        self.elements.setdefault(stream, []).append(element)

    def _cursor(self, before: Cursor, nonce: str) -> Cursor:
        windows = tuple(
            one for one in (*before.windows, *self._new_windows) if one not in self._reread_windows
        )
        cursor = msgspec.structs.replace(before, push=before.push + 1, nonce=nonce, windows=windows)
        if self._last is None:
            return cursor
        connection, event = self._last
        return msgspec.structs.replace(
            cursor,
            time_us=event.time_us,
            host=connection.plan.host,
            kind="v1" if event.seq is None else "v2",
            seq=event.seq,
            identity=event.identity.hex(),
        )


def _first_time(events: Iterable[Event | Reason]) -> int | None:
    return next((event.time_us for event in events if not isinstance(event, Reason)), None)
