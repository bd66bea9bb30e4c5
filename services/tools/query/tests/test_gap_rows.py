"""Which gaps are repaired, from which hosts, and how much time gaps cover."""

from __future__ import annotations

from services.archive.gaps import Interval, OpenGap
from services.shared.event import Gap, GapReason
from services.tools.cli.repair import hosts_by_gaps
from services.tools.query.gap_rows import POINT_US, intervals_to_repair, seconds, touching


def row(from_us: int, to_us: int, reason: GapReason = GapReason.CURSOR_TOO_OLD, host: str = "a") -> Gap:
    return Gap(from_us, to_us, reason, host, 0)


def test_archive_start_and_repaired_intervals_are_no_gaps() -> None:
    rows = [
        row(0, 100, GapReason.ARCHIVE_START),
        row(200, 400),
        row(300, 500, GapReason.HOST_CHANGED),
        row(250, 350, GapReason.REPAIRED),
    ]
    assert intervals_to_repair(rows, 0) == [Interval(200, 250), Interval(350, 500)]


def test_gaps_before_the_look_back_are_left_out_and_overlapping_ones_are_not() -> None:
    assert intervals_to_repair([row(100, 200), row(150, 400)], 250) == [Interval(150, 400)]


def test_a_gap_without_a_length_is_extended() -> None:
    assert intervals_to_repair([row(100, 100, GapReason.HOST_CHANGED)], 0) == [Interval(100, 100 + POINT_US)]


def test_hosts_without_gaps_come_first() -> None:
    assert hosts_by_gaps(["a", "b", "c"], [row(1, 2), row(0, 9, GapReason.ARCHIVE_START, "c")]) == [
        "b",
        "c",
        "a",
    ]


def gap(begin: int, end: int, reason: GapReason = GapReason.CUTOVER) -> OpenGap:
    return OpenGap(begin * 1_000_000, end * 1_000_000, reason, "h", None, 0)


def test_overlapping_time_counts_once() -> None:
    assert seconds([gap(0, 10), gap(5, 12), gap(20, 21), gap(6, 7)]) == 13
    assert seconds([gap(0, 10)], 5_000_000, 8_000_000) == 3
    assert seconds([gap(0, 10, GapReason.ARCHIVE_START)]) == 0
    assert touching([gap(0, 10, GapReason.ARCHIVE_START), gap(3, 3)], 0, 5_000_000) == [gap(3, 3)]
