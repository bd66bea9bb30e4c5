"""Arithmetic of intervals of event time, and the gaps that repairs have not closed. Pure."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from services.shared.event import STREAM_OF_COLLECTION, GapReason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Interval(NamedTuple):
    """An interval of event time in Unix microseconds. One without length is a point, not nothing."""

    from_us: int
    to_us: int

    def seconds(self) -> float:
        """Return its length."""
        return (self.to_us - self.from_us) / 1e6

    def __str__(self) -> str:
        first, last = (datetime.fromtimestamp(time_us // 1_000_000, UTC) for time_us in self)
        return f"{first:%Y-%m-%d %H:%M:%SZ} to {last:%Y-%m-%d %H:%M:%SZ}"


class OpenGap(NamedTuple):
    """A row of `gaps`, or the part of it that no repair has closed."""

    from_us: int
    to_us: int
    reason: str
    host: str = ""
    collection: str | None = None
    """None: all collections."""
    received_at: int = 0

    @property
    def interval(self) -> Interval:
        """The time in which events may be missing."""
        return Interval(self.from_us, self.to_us)

    @property
    def is_archive_start(self) -> bool:
        """Whether it only marks where the archive starts: no event is missing."""
        return self.reason == GapReason.ARCHIVE_START

    def concerns(self, stream: Stream) -> bool:
        """Whether events of this stream may be missing."""
        return self.collection is None or STREAM_OF_COLLECTION.get(self.collection, Stream.RECORDS) is stream


def open_gaps(rows: Iterable[OpenGap]) -> list[OpenGap]:
    """Return what the rows of `gaps` leave open, in their order: rows of repairs are subtracted.

    Repairs do not shorten the gap before the archive's start.
    """
    rows = list(rows)
    repairs = union(row.interval for row in rows if row.reason == GapReason.REPAIRED)
    found: list[OpenGap] = []
    for row in rows:
        if row.is_archive_start:
            found.append(row)
        elif row.reason != GapReason.REPAIRED:
            left = subtract([row.interval], repairs)
            found += (row._replace(from_us=one.from_us, to_us=one.to_us) for one in left)
    return found


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same time as intervals that are in order and apart."""
    found: list[Interval] = []
    for one in sorted(intervals):
        if found and one.from_us <= found[-1].to_us:
            found[-1] = Interval(found[-1].from_us, max(found[-1].to_us, one.to_us))
        else:
            found.append(one)
    return found


def subtract(intervals: Iterable[Interval], cuts: Iterable[Interval]) -> list[Interval]:
    """Return what is left of each interval without the cuts.

    A point is left unless a cut touches it. Of an interval with a length, no point is left.
    """
    apart = union(cuts)
    ends = [cut.to_us for cut in apart]
    return [part for one in intervals for part in _without(one, apart[bisect_left(ends, one.from_us) :])]


def intersect(intervals: Iterable[Interval], within: Interval) -> list[Interval]:
    """Return the parts of the intervals that lie within another; those that only touch it are points."""
    clipped = (Interval(max(one.from_us, within.from_us), min(one.to_us, within.to_us)) for one in intervals)
    return [one for one in clipped if one.to_us >= one.from_us]


def union_seconds(intervals: Iterable[Interval]) -> float:
    """Return the length of the intervals' union: time that several cover counts once."""
    return sum(one.to_us - one.from_us for one in union(intervals)) / 1e6


def pieces(interval: Interval, longest_us: int) -> list[Interval]:
    """Cut an interval at the multiples of `longest_us`, so that the same time is always cut alike."""
    first = (interval.from_us // longest_us + 1) * longest_us
    edges = [interval.from_us, *range(first, interval.to_us, longest_us), interval.to_us]
    return [Interval(start, end) for start, end in pairwise(edges)]


def _without(one: Interval, cuts: Sequence[Interval]) -> list[Interval]:
    """Return what is left of one interval without cuts that are in order, apart, and end in or after it."""
    if not cuts or cuts[0].from_us > one.to_us:
        return [one]
    left: list[Interval] = []
    at = one.from_us
    for cut in cuts:
        if cut.from_us > one.to_us:
            break
        if cut.from_us > at:
            left.append(Interval(at, cut.from_us))
        at = max(at, cut.to_us)
    if at < one.to_us:
        left.append(Interval(at, one.to_us))
    return left
