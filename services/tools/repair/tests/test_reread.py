"""What a reading covers, by the times it brought; and what is left to the ingester."""

from __future__ import annotations

from services.shared.cursor import Cursor, Window
from services.tools.cli.repair import SETTLED_US, within_reach
from services.tools.query.intervals import Span
from services.tools.repair.reread import SLACK_US, Reading

ASKED = Span(100 * SLACK_US, 200 * SLACK_US)


def test_a_reading_from_before_to_beyond_covers_all() -> None:
    assert Reading(99 * SLACK_US, 300 * SLACK_US, read_through=True).covered(ASKED) == ASKED


def test_a_host_that_begins_later_covers_from_there() -> None:
    began = Reading(150 * SLACK_US, 300 * SLACK_US, read_through=True)
    assert began.covered(ASKED) == Span(150 * SLACK_US, ASKED.to_us)


def test_a_connection_that_ended_covers_up_to_a_little_before_its_last_event() -> None:
    ended = Reading(90 * SLACK_US, 150 * SLACK_US)
    assert ended.covered(ASKED) == Span(ASKED.from_us, 149 * SLACK_US)


def test_nothing_or_only_later_events_cover_nothing() -> None:
    assert Reading().covered(ASKED) is None
    assert Reading(250 * SLACK_US, 300 * SLACK_US, read_through=True).covered(ASKED) is None


def test_what_the_ingester_still_reads_by_itself_is_left_to_it() -> None:
    cursor = Cursor(time_us=10 * SETTLED_US, epoch=1, push=1)
    assert within_reach([Span(0, 20 * SETTLED_US)], cursor) == [Span(0, 9 * SETTLED_US)]
    assert within_reach([Span(9 * SETTLED_US, 20 * SETTLED_US)], cursor) == []
    window = Cursor(
        time_us=10 * SETTLED_US, epoch=1, push=1, windows=(Window(5 * SETTLED_US, 6 * SETTLED_US, "h"),)
    )
    assert within_reach([Span(0, 8 * SETTLED_US)], window) == [Span(0, 4 * SETTLED_US)]
    assert within_reach([], cursor) == []
