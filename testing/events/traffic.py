"""Times and frames of the traffic: when event i happens, and how a host of either kind sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from testing.events.records import body, burst_leader, moment
from testing.events.rhythm import Pace, Rhythm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.events.records import Moment

_MASK = 2**64 - 1
_MILLI_US = 1_000_000_000
"""Microseconds in a second times the thousandths that rates are counted in."""


@dataclass(frozen=True, slots=True)
class HostView:
    """How one Jetstream host sends the events: with its own times and numbers."""

    kind: Literal["v1", "v2"] = "v1"
    offset_us: int = 0
    """This host's time_us minus the canonical one."""
    first_seq: int = 1
    """v2 only: event i has the top-level `cursor` first_seq + i."""
    batch: int = 3
    """v2 only: number of neighbouring events with the time_us of the first of them."""

    def leader(self, i: int) -> int:
        """Return the event whose time event i has on this host."""
        return i - i % self.batch if self.kind == "v2" else i


@dataclass(frozen=True, slots=True)
class Traffic:
    """The events of a network: event i (from 0) is a function of seed and i."""

    seed: int
    first_us: int
    """Canonical time at which events begin, in Unix microseconds."""
    rate: float
    """Events per second of event time, exact to a thousandth; at most a million where it is highest."""
    total: int | None = None
    """Number of events; None: endless."""
    rhythm: Rhythm | None = None
    """Variation of the rate; None: constant."""
    _per_1000_s: int = field(init=False, repr=False, compare=False)
    _pace: Pace | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Compute the rhythm's day."""
        object.__setattr__(self, "_per_1000_s", round(self.rate * 1000))
        if self.rhythm is not None:
            object.__setattr__(self, "_pace", Pace(self.rhythm, self.first_us))

    def time_us(self, i: int) -> int:
        """Return the canonical Unix microseconds of event i; strictly increasing in i, jitter included."""
        start = self._since_first(i)
        return self.first_us + start + (_jitter(self.seed + i) * (self._since_first(i + 1) - start) >> 32)

    def index_at(self, time_us: int) -> int:
        """Return the smallest i with time_us(i) >= time_us; `total` where there is none."""
        # Jitter stays inside the event's interval, so only the previous event can be late enough.
        past = time_us - self.first_us
        even, unit = (past, 1) if self._pace is None else (self._pace.even(past), 1_000)
        i = max(0, -(-even * self._per_1000_s // (_MILLI_US * unit)))
        if i and self.time_us(i - 1) >= time_us:
            i -= 1
        return i if self.total is None else min(i, self.total)

    def seen_us(self, i: int, view: HostView) -> int:
        """Return the time_us of event i on a host."""
        return self.time_us(view.leader(i)) + view.offset_us

    def seen_index_at(self, time_us: int, view: HostView) -> int:
        """Return the smallest i with seen_us(i) >= time_us: the first of a batch that shares a time."""
        i = self.index_at(time_us - view.offset_us)
        first = view.leader(i + (view.batch - 1 if view.kind == "v2" else 0))
        return first if self.total is None else min(first, self.total)

    def frame(self, i: int, view: HostView) -> bytes:
        """Return the v1 JSON of event i as this host sends it; IndexError beyond the last."""
        moment = self.moment(i)
        led = view.leader(i)
        return self._frame(moment, view, (moment.time_us if led == i else self.time_us(led)) + view.offset_us)

    def frame_at(self, i: int, view: HostView, time_us: int) -> bytes:
        """Return frame(i, view) with another time_us, for a host with a wrong clock."""
        return self._frame(self.moment(i), view, time_us)

    def moment(self, i: int) -> Moment:
        """Return event i before its JSON is built; IndexError beyond the last."""
        if i < 0 or (self.total is not None and i >= self.total):
            raise IndexError(f"there is no event {i}")
        now = self.time_us(i)
        leader = burst_leader(i)
        return moment(self.seed, i, now, now if leader == i else self.time_us(leader))

    def truth(self, view: HostView) -> Iterator[bytes]:
        """Yield every frame that this host sends, from event 0 on."""
        i = 0
        while self.total is None or i < self.total:
            yield self.frame(i, view)
            i += 1

    def _frame(self, moment: Moment, view: HostView, time_us: int) -> bytes:
        actor, rest = body(moment)
        seq = f'"cursor":{view.first_seq + moment.i},' if view.kind == "v2" else ""
        return f'{{"did":"{actor}","time_us":{time_us},{seq}{rest}}}'.encode()

    def _since_first(self, i: int) -> int:
        if self._pace is None:
            return i * _MILLI_US // self._per_1000_s
        return self._pace.since_us(i * _MILLI_US * 1_000 // self._per_1000_s)


def _jitter(x: int) -> int:
    """Return 32 well-mixed bits of x (the finalizer of splitmix64, shortened)."""
    x = (x * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    return x >> 32
