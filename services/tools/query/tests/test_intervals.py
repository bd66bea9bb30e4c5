"""Intervals, and reading the rows of the hours that an interval overlaps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.parquet import DamagedFile
from services.archive.paths import HOUR_US
from services.shared.errors import Transient
from services.shared.event import Stream
from services.tools.query.intervals import Interval, merged, minus, parts, pieces, row_groups
from services.tools.tests.making import START_US, archive, events

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return archive(tmp_path / "archive", {Stream.LIKES: events(7200)[Stream.LIKES]})


def test_parts_of_all_overlapped_hours_are_yielded(root: Path) -> None:
    whole = list(parts(root, Stream.LIKES, Interval(START_US, START_US + 2 * HOUR_US)))
    first = list(parts(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US)))
    second = list(parts(root, Stream.LIKES, Interval(START_US + HOUR_US, START_US + HOUR_US + 1)))
    assert whole == [*first, *second]
    assert first
    assert second
    assert list(parts(root, Stream.LIKES, Interval(START_US - 1, START_US))) == []


def test_only_the_requested_columns_are_read(root: Path) -> None:
    (table, *_) = row_groups(root, Stream.LIKES, Interval(START_US, START_US + 1), ["did"])
    assert table.column_names == ["did"]


def test_a_part_that_was_compacted_meanwhile_raises_transient(root: Path) -> None:
    reading = row_groups(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US), ["did"])
    next(reading)
    for path in parts(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US)):
        path.unlink()
    with pytest.raises(Transient, match="compacted meanwhile"):
        list(reading)


def test_a_damaged_part_is_named_with_the_remedy(root: Path) -> None:
    path = next(parts(root, Stream.LIKES, Interval(START_US, START_US + 1)))
    path.write_bytes(b"PAR1")
    with pytest.raises(DamagedFile, match="archive verify"):
        list(row_groups(root, Stream.LIKES, Interval(START_US, START_US + 1), ["did"]))


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: Interval(min(pair), max(pair))),
    max_size=6,
)


def points(some: list[Interval]) -> set[int]:
    return {point for interval in some for point in range(interval.from_us, interval.to_us)}


@given(intervals, intervals)
def test_minus_subtracts_intervals(some: list[Interval], taken: list[Interval]) -> None:
    assert points(minus(some, taken)) == points(some) - points(taken)


@given(intervals)
def test_merged_is_the_union_in_order_without_overlaps(some: list[Interval]) -> None:
    whole = merged(some)
    assert points(whole) == points(some)
    assert all(before.to_us < after.from_us for before, after in pairwise(whole))


@given(st.integers(0, 50), st.integers(1, 50), st.integers(1, 20))
def test_pieces_cover_the_interval_and_none_is_too_long(start: int, length: int, longest: int) -> None:
    cut = pieces(Interval(start, start + length), longest)
    assert [point for one in cut for point in range(*one)] == list(range(start, start + length))
    assert all(0 < one.to_us - one.from_us <= longest for one in cut)
