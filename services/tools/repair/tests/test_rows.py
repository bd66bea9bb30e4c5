"""Which holes are to be repaired, and from whom."""

from __future__ import annotations

from services.shared.event import Gap, GapReason
from services.tools.repair.command import in_turn
from services.tools.repair.rows import POINT_US, holes
from services.tools.span import Span


def row(from_us: int, to_us: int, reason: GapReason = GapReason.CURSOR_TOO_OLD, host: str = "a") -> Gap:
    return Gap(from_us, to_us, reason, host, 0)


def test_start_and_what_was_repaired_are_no_holes() -> None:
    rows = [
        row(0, 100, GapReason.ARCHIVE_START),
        row(200, 400),
        row(300, 500, GapReason.HOST_CHANGED),
        row(250, 350, GapReason.REPAIRED),
    ]
    assert holes(rows, 0) == [Span(200, 250), Span(350, 500)]


def test_a_hole_before_the_look_back_is_left_out_and_one_that_reaches_into_it_is_not() -> None:
    assert holes([row(100, 200), row(150, 400)], 250) == [Span(150, 400)]


def test_a_doubt_without_a_length_is_read_around() -> None:
    assert holes([row(100, 100, GapReason.HOST_CHANGED)], 0) == [Span(100, 100 + POINT_US)]


def test_hosts_that_no_hole_is_told_of_come_first() -> None:
    assert in_turn(["a", "b", "c"], [row(1, 2), row(0, 9, GapReason.ARCHIVE_START, "c")]) == ["b", "c", "a"]
