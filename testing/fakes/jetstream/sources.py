"""The event sources of a host beside plain `Traffic`: traffic whose rate is changed, and a recorded file."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from testing.events import Traffic

if TYPE_CHECKING:
    from pathlib import Path


_MILLI_US = 1_000_000_000
_LEAST_MILLI = 1


class RateChange(NamedTuple):
    """From event `first` on, which begins `since_us` after event 0, the rate is `milli`."""

    first: int
    since_us: int
    milli: int
    """Thousandths of an event per second of event time."""


@dataclass(frozen=True, slots=True)
class Paced(Traffic):
    """Traffic at its own rate until the first change, then at the rate of the latest change."""

    changes: tuple[RateChange, ...] = ()
    _firsts: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())
    _sinces: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        """Index the changes by event and by time."""
        Traffic.__post_init__(self)
        object.__setattr__(self, "_firsts", tuple(change.first for change in self.changes))
        object.__setattr__(self, "_sinces", tuple(change.since_us for change in self.changes))

    def index_at(self, time_us: int) -> int:
        """Return the smallest i with time_us(i) >= time_us; `total` where there is none."""
        past = time_us - self.first_us
        at = bisect_right(self._sinces, past) - 1
        if at < 0:
            return Traffic.index_at(self, time_us)
        change = self.changes[at]
        i = change.first - (-(past - change.since_us) * change.milli // _MILLI_US)
        if at + 1 < len(self.changes):
            i = min(i, self.changes[at + 1].first)
        # As in Traffic: jitter stays inside the event's own interval.
        if i and self.time_us(i - 1) >= time_us:
            i -= 1
        return i if self.total is None else min(i, self.total)

    def with_rate(self, tip: int, rate: float) -> Paced:
        """Return the same traffic with another rate from event `tip` + 1 on; `tip` is the next event."""
        changes, first = self.changes, tip + 1
        if changes and changes[-1].first >= first:
            # The last change has not taken effect yet: replace it.
            first, changes = changes[-1].first, changes[:-1]
        change = RateChange(first, self._since_first(first), max(_LEAST_MILLI, round(rate * 1000)))
        return replace(self, changes=(*changes, change))

    def rate_now(self) -> float:
        """Return the current rate in events per second."""
        return self.changes[-1].milli / 1000 if self.changes else self.rate

    def _since_first(self, i: int) -> int:
        at = bisect_right(self._firsts, i) - 1
        if at < 0:
            return Traffic._since_first(self, i)  # noqa: SLF001 - super() knows no dataclass with slots
        change = self.changes[at]
        return change.since_us + (i - change.first) * _MILLI_US // change.milli


def paced(traffic: Traffic) -> Paced:
    """Return the same traffic as one whose rate can be changed."""
    if isinstance(traffic, Paced):
        return traffic
    return Paced(traffic.seed, traffic.first_us, traffic.rate, traffic.total, traffic.rhythm)


@dataclass(frozen=True)
class Recording:
    """A file of frames sent at a fixed rate; their time_us stay as captured."""

    path: Path
    first_us: int
    """Event time at which the first line is sent."""
    rate: float
    """Lines per second of event time."""

    @cached_property
    def frames(self) -> list[bytes]:
        """Every line, without its line end."""
        return [line for line in self.path.read_bytes().split(b"\n") if line]

    @cached_property
    def times(self) -> list[int]:
        """Every line's time_us; capture order is not time order."""
        return [json.loads(frame)["time_us"] for frame in self.frames]

    @cached_property
    def newest(self) -> list[int]:
        """The newest time_us up to and including each line."""
        return list(accumulate(self.times, max))

    def tip(self, now_us: int) -> int:
        """Return how many lines have appeared at this event time."""
        return max(0, min(len(self.frames), int((now_us - self.first_us) * self.rate / 1_000_000) + 1))

    def due_us(self, i: int) -> int | None:
        """Return the event time at which line i appears; None beyond the last."""
        return self.first_us + int(i * 1_000_000 / self.rate) if i < len(self.frames) else None
