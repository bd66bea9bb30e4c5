"""Pure: what is left of a hole after repairs, whose rows in `gaps` say `repaired` and are no holes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.shared.event import GapReason

if TYPE_CHECKING:
    from collections.abc import Iterable

Interval = tuple[int, int]
"""Both ends in Unix microseconds of event time."""


def what_is_left(reason: str, hole: Interval, repairs: Iterable[Interval]) -> list[Interval]:
    """Return the parts of a hole that no repair went through, in order.

    One of no length is left unless a repair went over it; what was before an archive's start always is.
    """
    if reason == GapReason.REPAIRED:
        return []
    left = [hole]
    for begin, end in () if reason == GapReason.ARCHIVE_START else repairs:
        left = [part for one in left for part in _without(one, begin, end)]
    return left


def _without(one: Interval, begin: int, end: int) -> list[Interval]:
    from_us, to_us = one
    if end < from_us or to_us < begin:
        return [one]
    parts = [(from_us, min(to_us, begin)), (max(from_us, end), to_us)]
    return [(first, last) for first, last in parts if last > first]
