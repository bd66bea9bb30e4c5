"""Traffic whose rate is changed while it flows: every event stays a function of seed, index and the turns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from testing.events import Traffic

_MILLI_US = 1_000_000_000
_LEAST_MILLI = 1


class Turn(NamedTuple):
    """From event `first` on, which begins so long after event 0, there are so many events a second."""

    first: int
    since_us: int
    milli: int
    """Thousandths of an event a second of event time."""


@dataclass(frozen=True, slots=True)
class Paced(Traffic):
    """Traffic at its own rate until the first turn, then at that of each turn."""

    turns: tuple[Turn, ...] = ()
    _firsts: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())
    _sinces: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        """Lay out the turns."""
        Traffic.__post_init__(self)
        object.__setattr__(self, "_firsts", tuple(turn.first for turn in self.turns))
        object.__setattr__(self, "_sinces", tuple(turn.since_us for turn in self.turns))

    def index_at(self, time_us: int) -> int:
        """Return the smallest i with time_us(i) >= time_us; `total` where there is none."""
        past = time_us - self.first_us
        at = bisect_right(self._sinces, past) - 1
        if at < 0:
            return Traffic.index_at(self, time_us)
        turn = self.turns[at]
        i = turn.first - (-(past - turn.since_us) * turn.milli // _MILLI_US)
        if at + 1 < len(self.turns):
            i = min(i, self.turns[at + 1].first)
        # As in Traffic: jitter stays inside the event's own interval.
        if i and self.time_us(i - 1) >= time_us:
            i -= 1
        return i if self.total is None else min(i, self.total)

    def turned(self, tip: int, rate: float) -> Paced:
        """Return the same traffic with another rate from the event after next on; `tip` is the next one."""
        turns, first = self.turns, tip + 1
        if turns and turns[-1].first >= first:
            # The last turn has not come yet: it becomes this one.
            first, turns = turns[-1].first, turns[:-1]
        turn = Turn(first, self._since_first(first), max(_LEAST_MILLI, round(rate * 1000)))
        return replace(self, turns=(*turns, turn))

    def rate_now(self) -> float:
        """Return the events a second since the last turn."""
        return self.turns[-1].milli / 1000 if self.turns else self.rate

    def _since_first(self, i: int) -> int:
        at = bisect_right(self._firsts, i) - 1
        if at < 0:
            return Traffic._since_first(self, i)  # noqa: SLF001 - super() knows no dataclass with slots
        turn = self.turns[at]
        return turn.since_us + (i - turn.first) * _MILLI_US // turn.milli


def paced(traffic: Traffic) -> Paced:
    """Return the same traffic as one whose rate can be turned."""
    if isinstance(traffic, Paced):
        return traffic
    return Paced(traffic.seed, traffic.first_us, traffic.rate, traffic.total, traffic.rhythm)
