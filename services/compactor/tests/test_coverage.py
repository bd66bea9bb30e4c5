"""The table of hours, from the archive's files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb

from services.archive.coverage import SCHEMA, State, read_coverage
from services.archive.paths import HOUR_US
from services.compactor.coverage import refresh_coverage
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


def test_the_table_says_of_each_hour_what_is_there(tmp_path: Path) -> None:
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


def test_a_reader_sees_the_columns_that_were_promised(tmp_path: Path) -> None:
    put(tmp_path, [event for event in traffic(100, first_us=BORDER_US, rate=1) if event[0] == "likes"])
    refresh_coverage(tmp_path, NOW_US)
    query = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
    found = duckdb.execute(query, [f"{tmp_path}/coverage/**/*.parquet"])
    assert [column[0] for column in found.description or []] == SCHEMA.names
