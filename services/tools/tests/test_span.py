"""Intervals are cut, joined and left out exactly."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.tools.span import Span, merged, minus, pieces

spans = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: Span(min(pair), max(pair))), max_size=6
)


def points(some: list[Span]) -> set[int]:
    return {point for span in some for point in range(span.from_us, span.to_us)}


@given(spans, spans)
def test_what_is_left_is_what_was_not_taken(some: list[Span], taken: list[Span]) -> None:
    assert points(minus(some, taken)) == points(some) - points(taken)


@given(spans)
def test_merged_spans_are_the_same_time_in_order_and_apart(some: list[Span]) -> None:
    whole = merged(some)
    assert points(whole) == points(some)
    assert all(before.to_us < after.from_us for before, after in pairwise(whole))


@given(st.integers(0, 50), st.integers(1, 50), st.integers(1, 20))
def test_pieces_are_the_whole_and_none_is_longer(start: int, length: int, longest: int) -> None:
    cut = pieces(Span(start, start + length), longest)
    assert [point for one in cut for point in range(*one)] == list(range(start, start + length))
    assert all(0 < one.to_us - one.from_us <= longest for one in cut)
