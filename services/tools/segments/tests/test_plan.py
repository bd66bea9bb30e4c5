"""Which segments an interval needs and what they can tell of it."""

from __future__ import annotations

from services.tools.segments.plan import Segment, covered, overlapping
from services.tools.span import Span


def segment(number: int, first_us: int, last_us: int) -> Segment:
    return Segment(f"seg_{number}", number, 1000, "0" * 16, 10, first_us, last_us)


THREE = [segment(4, 100, 199), segment(5, 205, 299), segment(7, 400, 499)]


def test_only_what_overlaps_is_downloaded() -> None:
    assert overlapping(THREE, Span(199, 205)) == THREE[:1]
    assert overlapping(THREE, Span(200, 205)) == []
    assert overlapping(THREE, Span(0, 1000)) == THREE


def test_neighbours_cover_the_time_between_them_and_a_missing_number_does_not() -> None:
    assert covered(THREE, Span(150, 250)) == [Span(150, 250)]
    assert covered(THREE, Span(0, 1000)) == [Span(100, 300), Span(400, 500)]
    assert covered(THREE, Span(300, 400)) == []
    assert covered([], Span(0, 1)) == []
