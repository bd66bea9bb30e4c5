"""The rate over the day and in bursts, as a clock of varying speed. All in integers."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise

_HOUR_S = 3600
DAY_S = 24 * _HOUR_S
_SECOND_US = 1_000_000

# Thousandths of the mean rate by hour from 00:00 UTC. The maximum is measured: 130,000 posts in the peak hour
# of a day of 2.2 million (March 2026). Its hour and the minimum are assumed: the evening in the Americas, and
# the morning in Europe.
DAY = (
    *(1_190, 1_110, 1_010, 900, 790, 690, 610, 560, 530, 560, 630, 720),
    *(830, 950, 1_060, 1_160, 1_240, 1_310, 1_360, 1_400, 1_418, 1_390, 1_330, 1_252),
)
_EVEN = 1_000


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The variation of the traffic's rate; bursts multiply the rate of the hour."""

    day: bool = False
    """Whether the rate varies with the hour of the day, UTC; its mean over a day is the traffic's rate."""
    burst_every_s: int = 0
    """Seconds between the starts of bursts, a divisor of a day's seconds; 0: none."""
    burst_s: int = 60
    burst_times: int = 10
    """Factor of the rate during a burst."""

    @classmethod
    def parse(cls, text: str) -> Rhythm | None:
        """Read `flat`, `day`, `bursts`, `bursts:EVERY:SECONDS:TIMES` or `day+bursts...`; else ValueError."""
        if text == "flat":
            return None
        words = text.split("+")
        day = words[0] == "day"
        rest = words[1:] if day else words
        if not rest:
            return cls(day)
        name, *figures = rest[0].split(":")
        if len(rest) > 1 or name != "bursts" or len(figures) not in {0, 3}:
            raise ValueError(f"not a rhythm: {text!r}; use day, bursts:3600:60:10 or both joined by +")
        return cls(day, *(int(figure) for figure in figures or ("3600", "60", "10")))


class Pace:
    """Converts even time, in which events have equal distances, into event time and back.

    Even time is in thousandths of a microsecond, event time in microseconds since the first event.
    """

    def __init__(self, rhythm: Rhythm, first_us: int) -> None:
        """Compute the day that begins at first_us; ValueError if bursts do not divide it."""
        every = rhythm.burst_every_s
        if every and (DAY_S % every or not 0 < rhythm.burst_s < every):
            raise ValueError(f"bursts of {rhythm.burst_s} s every {every} s do not divide a day")
        into_hour_us = first_us % (_HOUR_S * _SECOND_US)
        hours = (hour * _HOUR_S * _SECOND_US - into_hour_us for hour in range(1, 25))
        bursts = range(every, DAY_S, every) if every else ()
        edges = (at * _SECOND_US for start in bursts for at in (start, start + rhythm.burst_s))
        self._since = sorted({0, DAY_S * _SECOND_US, *hours, *edges})
        self._weights = [_weight(rhythm, since, first_us) for since in self._since[:-1]]
        spans = (end - begin for begin, end in pairwise(self._since))
        evens = (span * weight for span, weight in zip(spans, self._weights, strict=True))
        self._even = list(accumulate(evens, initial=0))

    def since_us(self, even: int) -> int:
        """Return the event time of an even time, rounded down."""
        days, even = divmod(even, self._even[-1])
        at = bisect_right(self._even, even) - 1
        return days * self._since[-1] + self._since[at] + (even - self._even[at]) // self._weights[at]

    def even(self, since_us: int) -> int:
        """Return the least even time whose event time is not before `since_us`."""
        days, since_us = divmod(since_us, self._since[-1])
        at = bisect_right(self._since, since_us) - 1
        return days * self._even[-1] + self._even[at] + (since_us - self._since[at]) * self._weights[at]


def _weight(rhythm: Rhythm, since_us: int, first_us: int) -> int:
    every = rhythm.burst_every_s * _SECOND_US
    hour = (first_us + since_us) // (_HOUR_S * _SECOND_US) % 24
    weight = DAY[hour] if rhythm.day else _EVEN
    inside = bool(every) and since_us >= every and since_us % every < rhythm.burst_s * _SECOND_US
    return weight * rhythm.burst_times if inside else weight
