"""Which holes are to be repaired, and from whom."""

from __future__ import annotations

from services.shared.event import Gap, GapReason
from services.tools.cli.repair import in_turn
from services.tools.query.gap_rows import POINT_US, OpenGap, holes, seconds, touching
from services.tools.query.intervals import Span


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


def hole(begin: int, end: int, reason: GapReason = GapReason.CUTOVER) -> OpenGap:
    return OpenGap(begin * 1_000_000, end * 1_000_000, reason, "h", None, 0)


def test_each_moment_counts_once() -> None:
    assert seconds([hole(0, 10), hole(5, 12), hole(20, 21), hole(6, 7)]) == 13
    assert seconds([hole(0, 10)], 5_000_000, 8_000_000) == 3
    assert seconds([hole(0, 10, GapReason.ARCHIVE_START)]) == 0
    assert touching([hole(0, 10, GapReason.ARCHIVE_START), hole(3, 3)], 0, 5_000_000) == [hole(3, 3)]
