"""Pure: which segments and blocks an interval needs, and what of it they can tell."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from services.tools.span import Span, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Segment(NamedTuple):
    """A sealed segment, as the list tells of it."""

    name: str
    number: int
    bytes: int
    checksum: str
    """Names the generation: a compaction rewrites a segment under its name."""
    events: int
    first_us: int
    last_us: int
    """Both ends are in, in Unix microseconds of receipt by that server."""


class Timed(Protocol):
    """Anything with two times, both ends in."""

    @property
    def first_us(self) -> int:
        """Return the first."""

    @property
    def last_us(self) -> int:
        """Return the last."""


T = TypeVar("T", bound=Timed)


def overlapping(things: Iterable[T], span: Span) -> list[T]:
    """Return those that may hold an event of the interval."""
    return [thing for thing in things if thing.first_us < span.to_us and thing.last_us >= span.from_us]


def span_of(thing: Timed) -> Span:
    """Return all the time that lies in it."""
    return Span(thing.first_us, thing.last_us + 1)


def covered(segments: Sequence[Segment], asked: Span) -> list[Span]:
    """Return what of an interval these segments, in order, can tell whole.

    Between two neighbours nothing can lie; where the numbering leaves one out, something may.
    """
    told = [span_of(segment) for segment in segments]
    told += [
        Span(one.first_us, other.last_us + 1)
        for one, other in pairwise(segments)
        if other.number == one.number + 1
    ]
    parts = (Span(max(one.from_us, asked.from_us), min(one.to_us, asked.to_us)) for one in merged(told))
    return [part for part in parts if part.to_us > part.from_us]
