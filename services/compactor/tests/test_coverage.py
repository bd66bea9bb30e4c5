"""The table of hours, from the archive's files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.archive.catalog import File, StreamHour
from services.archive.coverage import SCHEMA, State, read_coverage
from services.archive.gaps import OpenGap
from services.archive.paths import HOUR_US
from services.compactor.coverage import coverage_row, refresh_coverage, reject_count
from services.compactor.tests.archives import BORDER_US, advance, compact, hour_compactor, put
from services.data_writer.tests.feeding import traffic
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream

if TYPE_CHECKING:
    from pathlib import Path

NOW_US = time.time_ns() // 1000
FIRST = BORDER_US // HOUR_US


def gap(from_us: int, to_us: int, reason: GapReason) -> tuple[str, bytes]:
    return "gaps", Gap(from_us, to_us, reason, "host", BORDER_US + 9 * HOUR_US).encode()


def test_the_table_has_state_and_rows_of_each_hour(tmp_path: Path) -> None:
    events = [event for event in traffic(600, first_us=BORDER_US, rate=0.1) if event[0] == "likes"]
    put(tmp_path, [gap(0, BORDER_US, GapReason.ARCHIVE_START)])
    put(tmp_path, events)
    put(tmp_path, events[:50], epoch=2, chunk=17)
    lost_us = BORDER_US + HOUR_US + HOUR_US // 2
    put(tmp_path, [gap(lost_us, lost_us + 60_000_000, GapReason.CURSOR_TOO_OLD)])
    advance(tmp_path, Cursor(time_us=BORDER_US + 3 * HOUR_US, epoch=2, push=9))
    refresh_coverage(tmp_path, NOW_US)
    before = {row.hour - FIRST: row for row in read_coverage(tmp_path) if row.stream is Stream.LIKES}
    assert {hour: row.state for hour, row in before.items()} == {
        0: State.PARTIAL, 1: State.PARTIAL, 2: State.OPEN, 3: State.OPEN, 9: State.OPEN,
    }  # fmt: skip
    assert sum(row.rows for row in before.values()) == len(events) + 50
    assert before[0].gap_seconds == 0
    assert before[1].gap_seconds == 60
    hours = hour_compactor(tmp_path)
    compact(tmp_path, hours)
    advance(tmp_path, Cursor(time_us=BORDER_US + 12 * HOUR_US, epoch=2, push=10))
    refresh_coverage(tmp_path, NOW_US)
    after = {row.hour - FIRST: row for row in read_coverage(tmp_path) if row.stream is Stream.LIKES}
    assert after[2].state is State.EMPTY or after[2].rows
    assert {after[hour].state for hour in (4, 5, 6)} == {State.EMPTY}
    assert sum(row.rows for row in after.values()) == len(events)
    assert sum(row.duplicates_removed for row in after.values()) == 50
    assert {row.parts for row in after.values() if row.rows} == {1}


def test_the_table_has_the_documented_columns(tmp_path: Path) -> None:
    put(tmp_path, [event for event in traffic(100, first_us=BORDER_US, rate=1) if event[0] == "likes"])
    refresh_coverage(tmp_path, NOW_US)
    query = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
    found = duckdb.execute(query, [f"{tmp_path}/coverage/**/*.parquet"])
    assert [column[0] for column in found.description or []] == SCHEMA.names


HOUR_START = 7 * HOUR_US
FILE = File(
    name="x",
    is_compacted=True,
    rows=10,
    bytes=100,
    first_us=HOUR_START + 5,
    last_us=HOUR_START + 9,
    counts={"1": {"likes": 6}, "2": {"likes": 4}},
    removed={"2": {"likes": 3}},
    duplicates=3,
    sources=(),
    compared=frozenset(),
)
MINUTE_US = 60_000_000


def open_gap(from_us: int, to_us: int, collection: str | None = None) -> OpenGap:
    return OpenGap(HOUR_START + from_us, HOUR_START + to_us, "cursor_too_old", collection=collection)


@pytest.mark.parametrize(
    ("files", "gaps", "is_open", "state"),
    [
        ([FILE], [], True, State.OPEN),
        ([FILE], [open_gap(0, 1)], True, State.OPEN),
        ([FILE], [], False, State.CLOSED),
        ([], [], False, State.EMPTY),
        ([], [open_gap(0, 1)], False, State.PARTIAL),
        ([FILE], [open_gap(-9, 1)], False, State.PARTIAL),
        ([FILE], [open_gap(5, 5)], False, State.PARTIAL),
        ([FILE], [open_gap(-9, -1), open_gap(HOUR_US, HOUR_US + 1)], False, State.CLOSED),
        ([FILE], [open_gap(0, 1, "app.bsky.feed.post")], False, State.CLOSED),
        ([FILE], [open_gap(0, 1, "app.bsky.feed.like")], False, State.PARTIAL),
    ],
)
def test_the_state_of_an_hour(files: list[File], gaps: list[OpenGap], *, is_open: bool, state: State) -> None:
    row = coverage_row(StreamHour(Stream.LIKES, 7), files, gaps, is_open=is_open, rejects=0)
    assert row.state is state
    assert (row.rows, row.parts, row.bytes) == (10 * len(files), len(files), 100 * len(files))


@pytest.mark.parametrize(("removed", "state"), [(3, State.EMPTY), (4, State.CLOSED)])
def test_an_hour_that_lost_all_its_rows_on_purpose_is_not_empty(removed: int, state: State) -> None:
    left = FILE._replace(rows=0, counts={}, removed={"2": {"likes": removed}})
    assert coverage_row(StreamHour(Stream.LIKES, 7), [left], [], is_open=False, rejects=0).state is state


def test_no_moment_of_a_gap_counts_twice() -> None:
    gaps = [
        open_gap(0, 10 * MINUTE_US),
        open_gap(5 * MINUTE_US, 12 * MINUTE_US),
        open_gap(59 * MINUTE_US, 99 * MINUTE_US),
    ]
    row = coverage_row(StreamHour(Stream.LIKES, 7), [FILE, FILE], gaps, is_open=False, rejects=0)
    assert row.gap_seconds == 13 * 60
    assert (row.first_us, row.last_us, row.duplicates_removed) == (HOUR_START + 5, HOUR_START + 9, 6)


def test_rejects_are_counted_by_the_stream_they_came_from() -> None:
    rejects = [FILE._replace(counts={"1": {"rejects": 2, "likes": 1}, "2": {"likes": 1}})]
    assert reject_count(Stream.LIKES, rejects) == 2
    assert reject_count(Stream.POSTS, rejects) == 0
    assert reject_count(Stream.REJECTS, rejects) == 4
