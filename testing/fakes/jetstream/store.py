"""The events that one host holds: which exist, where a cursor starts, and what a replay sends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from testing.fakes.jetstream.sources import Recording, paced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testing.events import HostView
    from testing.fakes.jetstream.settings import Options

CUTOVER_US = 1_000_000
"""Replay hands over to the live tail this long before the tip (v1's cutoverThresholdUS)."""
_LEAST_TIME_CURSOR = 10**15
"""v2 reads smaller cursors as sequence numbers."""


class Planted(NamedTuple):
    """A frame that is not part of the traffic."""

    payload: bytes
    binary: bool = False


class Start(NamedTuple):
    """Where a subscription begins."""

    first: int
    """Index of the first event sent, or of one before it."""
    tip: int
    """Number of events that existed then; later ones are sent whatever their time."""
    from_us: int | None = None
    """v1: events that existed then with a smaller time_us are left out."""

    @property
    def live(self) -> bool:
        """Whether nothing is replayed."""
        return self.first >= self.tip


@dataclass(frozen=True, slots=True)
class _Epoch:
    """Events sent under one offset of the host's clock."""

    begin: int
    back_us: int


class Store:
    """The events of one host. Rewinds and planted frames become part of them permanently."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.source = options.source
        self.view: HostView = options.view
        self.plants: dict[int, list[Planted]] = {}
        self.epochs = [_Epoch(0, 0)]
        self._look_back_s = options.look_back_s

    def tip(self) -> int:
        """Return how many events exist now."""
        return self._existing(self.options.clock.now_us())

    def before_cutover(self) -> int:
        """Return how many events existed CUTOVER_US ago."""
        return self._existing(self.options.clock.now_us() - CUTOVER_US)

    def wait_s(self, i: int) -> float:
        """Return the wall seconds until event i exists; infinite if it never will."""
        if isinstance(self.source, Recording):
            due = self.source.due_us(i)
        else:
            total = self.source.total
            due = self.source.time_us(self.view.leader(i)) if total is None or i < total else None
        clock = self.options.clock
        return float("inf") if due is None else max(0.0, clock.wall_s(due - clock.now_us()))

    def time_us(self, i: int) -> int:
        """Return the time_us of event i on this host."""
        if isinstance(self.source, Recording):
            return self.source.times[i]
        return self.source.seen_us(i, self.view) - self._epoch(i).back_us

    def frame(self, i: int) -> bytes:
        """Return event i as this host sends it."""
        if isinstance(self.source, Recording):
            return self.source.frames[i]
        return self.source.frame_at(i, self.view, self.time_us(i))

    def truth(self) -> Iterator[bytes]:
        """Yield every frame that exists so far, planted ones included, in order."""
        for i in range(self.tip()):
            yield from (plant.payload for plant in self.plants.get(i, ()))
            yield self.frame(i)
        yield from (plant.payload for plant in self.plants.get(self.tip(), ()))

    def now_us(self) -> int:
        """Return the time of this host's clock in Unix microseconds."""
        now = self.options.clock.now_us()
        if isinstance(self.source, Recording):
            tip = self.source.tip(now)
            return self.source.newest[tip - 1] if tip else 0
        return now + self.view.offset_us - self.epochs[-1].back_us

    def plant(self, planted: Planted, before: int | None) -> int:
        """Put a frame before an event (default: the next one); return that event's index."""
        at = self.tip() if before is None else before
        self.plants.setdefault(at, []).append(planted)
        return at

    def end(self, total: int) -> None:
        """End the traffic after `total` events; raises ValueError if more exist already."""
        if isinstance(self.source, Recording):
            raise TypeError("a recording ends with its file")
        if total < self.tip():
            raise ValueError(f"there are {self.tip()} events already")
        self.source = replace(self.source, total=total)

    def pace(self, add: float) -> float:
        """Change the rate by `add` events per wall second, from the event after next on.

        Returns the new rate in events per wall second. Several clients may each add a share.
        """
        if isinstance(self.source, Recording):
            raise TypeError("the rate of a recording cannot change")
        speed = self.options.clock.speed
        before = paced(self.source)
        self.source = before.with_rate(self.tip(), before.rate_now() + add / speed)
        return self.source.rate_now() * speed

    def keep(self, seconds: float) -> None:
        """Set the look-back, as a host with little disk does."""
        self._look_back_s = seconds

    def rewind(self, seconds: float) -> int:
        """Step the host's clock back from the next event on; return that event's index."""
        if isinstance(self.source, Recording):
            raise TypeError("a recording is replayed byte for byte; its times cannot change")
        begin = self.tip()
        self.epochs.append(_Epoch(begin, self.epochs[-1].back_us + int(seconds * 1_000_000)))
        return begin

    def start(self, cursor: int | None) -> Start:
        """Return where a cursor starts, silently clamped to the look-back."""
        tip = self.tip()
        live = Start(tip, tip)
        if cursor is None:
            return live
        floor_us = self.now_us() - int(self._look_back_s * 1_000_000)
        if self.view.kind == "v2" and cursor < _LEAST_TIME_CURSOR:
            index = max(cursor, 1) - self.view.first_seq
            return live if index >= tip else Start(max(index, self._first_at(floor_us), 0), tip)
        if cursor > self.now_us():
            return live
        if self.view.kind == "v2":
            rewind_us = int(self.options.time_cursor_rewind_s * 1_000_000)
            from_us = cursor - cursor % rewind_us if rewind_us else cursor
            return Start(min(tip, self._first_at(max(from_us, floor_us))), tip)
        start = Start(self._first_at(max(cursor, floor_us)), tip, max(cursor, floor_us))
        if start.live and self.options.empty_replay_repeats_all:
            return Start(self._first_at(floor_us), tip, floor_us)
        return start if not start.live else live

    def begins_at_event(self, start: Start, cursor: int | None) -> bool:
        """Return whether a cursor names the event that its replay begins with."""
        if start.live or cursor is None:
            return False
        return cursor in (self.time_us(start.first), self.view.first_seq + start.first)

    def admits(self, start: Start, i: int) -> bool:
        """Return whether a replay from this start sends event i."""
        if i >= start.tip:
            return True
        return i >= start.first if start.from_us is None else self.time_us(i) >= start.from_us

    def replayed(self, start: Start, upto: int) -> Iterable[int]:
        """Yield the events below `upto` in replay order: v1 by time, otherwise by index."""
        if isinstance(self.source, Recording):
            return (i for i in range(start.first, upto) if self.admits(start, i))
        if self.view.kind == "v2" or len(self.epochs) == 1:
            return range(start.first, upto)
        ends = [epoch.begin for epoch in self.epochs[1:]] + [upto]
        runs = [range(epoch.begin, min(end, upto)) for epoch, end in zip(self.epochs, ends, strict=True)]
        admitted = [(i for i in run if self.admits(start, i)) for run in runs]
        return merge(*admitted, key=self.time_us)

    def _existing(self, now_us: int) -> int:
        if isinstance(self.source, Recording):
            return self.source.tip(now_us)
        return self.source.seen_index_at(now_us + self.view.offset_us + 1, self.view)

    def _first_at(self, time_us: int) -> int:
        if isinstance(self.source, Recording):
            return next(
                (i for i, at in enumerate(self.source.times) if at >= time_us), len(self.source.times)
            )
        ends = [epoch.begin for epoch in self.epochs[1:]]
        for epoch, end in zip(self.epochs, [*ends, None], strict=True):
            first = max(epoch.begin, self.source.seen_index_at(time_us + epoch.back_us, self.view))
            if end is None or first < end:
                return first
        raise AssertionError("the last epoch has no end")

    def _epoch(self, i: int) -> _Epoch:
        return next(epoch for epoch in reversed(self.epochs) if epoch.begin <= i)
