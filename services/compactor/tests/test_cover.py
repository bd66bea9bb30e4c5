"""How whole an hour is."""

from __future__ import annotations

import pytest

from services.archive.catalog import File, StreamHour
from services.archive.coverage import State
from services.archive.gaps import OpenGap
from services.archive.paths import HOUR_US
from services.compactor.coverage import coverage_row, reject_count
from services.shared.event import Stream

START = 7 * HOUR_US
FILE = File(
    name="x",
    is_compacted=True,
    rows=10,
    bytes=100,
    first_us=START + 5,
    last_us=START + 9,
    counts={"1": {"likes": 6}, "2": {"likes": 4}},
    removed={"2": {"likes": 3}},
    duplicates=3,
    sources=(),
    compared=frozenset(),
)
MINUTE_US = 60_000_000


def hole(from_us: int, to_us: int, collection: str | None = None) -> OpenGap:
    return OpenGap(START + from_us, START + to_us, "cursor_too_old", collection=collection)


@pytest.mark.parametrize(
    ("files", "holes", "is_open", "state"),
    [
        ([FILE], [], True, State.OPEN),
        ([FILE], [hole(0, 1)], True, State.OPEN),
        ([FILE], [], False, State.CLOSED),
        ([], [], False, State.EMPTY),
        ([], [hole(0, 1)], False, State.PARTIAL),
        ([FILE], [hole(-9, 1)], False, State.PARTIAL),
        ([FILE], [hole(5, 5)], False, State.PARTIAL),
        ([FILE], [hole(-9, -1), hole(HOUR_US, HOUR_US + 1)], False, State.CLOSED),
        ([FILE], [hole(0, 1, "app.bsky.feed.post")], False, State.CLOSED),
        ([FILE], [hole(0, 1, "app.bsky.feed.like")], False, State.PARTIAL),
    ],
)
def test_the_state_of_an_hour(
    files: list[File], holes: list[OpenGap], *, is_open: bool, state: State
) -> None:
    row = coverage_row(StreamHour(Stream.LIKES, 7), files, holes, is_open=is_open, rejects=0)
    assert row.state is state
    assert (row.rows, row.parts, row.bytes) == (10 * len(files), len(files), 100 * len(files))


@pytest.mark.parametrize(("removed", "state"), [(3, State.EMPTY), (4, State.CLOSED)])
def test_an_hour_that_lost_all_its_rows_on_purpose_is_not_empty(removed: int, state: State) -> None:
    left = FILE._replace(rows=0, counts={}, removed={"2": {"likes": removed}})
    assert coverage_row(StreamHour(Stream.LIKES, 7), [left], [], is_open=False, rejects=0).state is state


def test_no_moment_of_a_gap_counts_twice() -> None:
    holes = [
        hole(0, 10 * MINUTE_US),
        hole(5 * MINUTE_US, 12 * MINUTE_US),
        hole(59 * MINUTE_US, 99 * MINUTE_US),
    ]
    row = coverage_row(StreamHour(Stream.LIKES, 7), [FILE, FILE], holes, is_open=False, rejects=0)
    assert row.gap_seconds == 13 * 60
    assert (row.first_us, row.last_us, row.duplicates_removed) == (START + 5, START + 9, 6)


def test_rejects_are_told_by_the_stream_they_came_from() -> None:
    rejects = [FILE._replace(counts={"1": {"rejects": 2, "likes": 1}, "2": {"likes": 1}})]
    assert reject_count(Stream.LIKES, rejects) == 2
    assert reject_count(Stream.POSTS, rejects) == 0
    assert reject_count(Stream.REJECTS, rejects) == 4
