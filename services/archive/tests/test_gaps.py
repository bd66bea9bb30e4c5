"""Intervals of event time, and what repairs leave of gaps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.gaps import (
    Interval,
    OpenGap,
    intersect,
    open_gaps,
    pieces,
    subtract,
    union,
    union_seconds,
)
from services.shared.event import GapReason, Stream

OLD = GapReason.CURSOR_TOO_OLD


@pytest.mark.parametrize(
    ("gap", "repairs", "left"),
    [
        ((10, 20), [], [(10, 20)]),
        ((10, 20), [(0, 30)], []),
        ((10, 20), [(10, 20)], []),
        ((10, 20), [(12, 14)], [(10, 12), (14, 20)]),
        ((10, 20), [(5, 12), (18, 25)], [(12, 18)]),
        ((10, 20), [(10, 15), (15, 20)], []),
        ((10, 20), [(30, 40)], [(10, 20)]),
        ((10, 10), [(5, 15)], []),
        ((10, 10), [(11, 15)], [(10, 10)]),
    ],
)
def test_what_repairs_leave(
    gap: tuple[int, int], repairs: list[tuple[int, int]], left: list[tuple[int, int]]
) -> None:
    rows = [OpenGap(*gap, OLD), *(OpenGap(*repair, GapReason.REPAIRED) for repair in repairs)]
    assert [one.interval for one in open_gaps(rows)] == left


def test_a_repair_is_no_gap_and_the_archive_start_stays() -> None:
    start = OpenGap(0, 20, GapReason.ARCHIVE_START)
    assert open_gaps([start, OpenGap(5, 25, GapReason.REPAIRED)]) == [start]


def test_a_gap_of_one_collection_concerns_its_stream() -> None:
    gap = OpenGap(0, 1, OLD, collection="app.bsky.feed.like")
    assert [stream for stream in Stream if gap.concerns(stream)] == [Stream.LIKES]
    assert OpenGap(0, 1, OLD, collection="a.b.c").concerns(Stream.RECORDS)
    assert all(OpenGap(0, 1, OLD).concerns(stream) for stream in Stream)


ENDS = st.lists(st.integers(0, 40), min_size=2, max_size=2).map(sorted)
INTERVALS = st.lists(ENDS.map(lambda ends: Interval(*ends)), max_size=6)


def points(some: list[Interval]) -> set[int]:
    return {point for one in some for point in range(*one)}


@given(INTERVALS, INTERVALS)
def test_what_is_left_is_what_was_not_cut(some: list[Interval], cuts: list[Interval]) -> None:
    assert points(subtract(some, cuts)) == points(some) - points(cuts)


@given(INTERVALS)
def test_a_union_is_the_same_time_in_order_and_apart(some: list[Interval]) -> None:
    whole = union(some)
    assert points(whole) == points(some)
    assert all(before.to_us < after.from_us for before, after in pairwise(whole))


@given(st.integers(0, 50), st.integers(1, 50), st.integers(1, 20))
def test_pieces_are_the_whole_and_none_is_longer(start: int, length: int, longest: int) -> None:
    cut = pieces(Interval(start, start + length), longest)
    assert [point for one in cut for point in range(*one)] == list(range(start, start + length))
    assert all(0 < one.to_us - one.from_us <= longest for one in cut)


@given(INTERVALS, st.integers(0, 40), st.integers(0, 40))
def test_an_intersection_is_what_lies_in_both(some: list[Interval], one: int, other: int) -> None:
    within = Interval(min(one, other), max(one, other))
    assert points(intersect(some, within)) == points(some) & points([within])


@given(INTERVALS)
def test_time_that_several_intervals_cover_counts_once(some: list[Interval]) -> None:
    assert union_seconds(some) == len(points(some)) / 1e6
