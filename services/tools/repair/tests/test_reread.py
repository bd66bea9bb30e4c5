"""The part of an interval that a reading covers, and times that are left to the ingester."""

from __future__ import annotations

from services.archive.gaps import Interval
from services.shared.cursor import Cursor, Window
from services.tools.cli.repair import CURSOR_MARGIN_US, without_open_time
from services.tools.repair.reread import SLACK_US, Reading

ASKED = Interval(100 * SLACK_US, 200 * SLACK_US)


def test_a_reading_that_begins_before_and_ends_after_covers_the_interval() -> None:
    assert Reading(99 * SLACK_US, 300 * SLACK_US, read_through=True).covered(ASKED) == ASKED


def test_a_host_that_begins_later_covers_from_its_first_event() -> None:
    began = Reading(150 * SLACK_US, 300 * SLACK_US, read_through=True)
    assert began.covered(ASKED) == Interval(150 * SLACK_US, ASKED.to_us)


def test_a_connection_that_ended_covers_up_to_a_little_before_its_last_event() -> None:
    ended = Reading(90 * SLACK_US, 150 * SLACK_US)
    assert ended.covered(ASKED) == Interval(ASKED.from_us, 149 * SLACK_US)


def test_no_events_or_only_later_ones_cover_nothing() -> None:
    assert Reading().covered(ASKED) is None
    assert Reading(250 * SLACK_US, 300 * SLACK_US, read_through=True).covered(ASKED) is None


def test_times_that_the_ingester_still_reads_are_left_out() -> None:
    cursor = Cursor(time_us=10 * CURSOR_MARGIN_US, epoch=1, push=1)
    assert without_open_time([Interval(0, 20 * CURSOR_MARGIN_US)], cursor) == [
        Interval(0, 9 * CURSOR_MARGIN_US)
    ]
    assert without_open_time([Interval(9 * CURSOR_MARGIN_US, 20 * CURSOR_MARGIN_US)], cursor) == []
    window = Cursor(
        time_us=10 * CURSOR_MARGIN_US,
        epoch=1,
        push=1,
        windows=(Window(5 * CURSOR_MARGIN_US, 6 * CURSOR_MARGIN_US, "h"),),
    )
    assert without_open_time([Interval(0, 8 * CURSOR_MARGIN_US)], window) == [
        Interval(0, 4 * CURSOR_MARGIN_US)
    ]
    assert without_open_time([], cursor) == []
