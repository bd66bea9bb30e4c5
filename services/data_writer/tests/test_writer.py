"""When streams are claimed, which archive the loop refuses, and how it cuts existing claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from services.buffer.keys import buffer_key, claim_key
from services.data_writer.tests.feeding import push, traffic
from services.data_writer.writer import ClaimLimits, Schedule
from services.shared.event import Stream
from testing.proof.audit import audit

if TYPE_CHECKING:
    from testing.harness.pipeline import Pipeline

POSTS, LIKES = Stream.POSTS, Stream.LIKES
LIMITS = ClaimLimits(interval=300.0, rows=1000, age=120.0)


def test_every_interval_all_streams_are_due_empty_ones_too() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 0, LIKES: 5}, 299.9) == []
    assert schedule.due({POSTS: 0, LIKES: 5}, 300.0) == [POSTS, LIKES]


def test_a_long_buffer_is_due_at_once_and_alone() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 10, LIKES: 1000}, 1.0) == [LIKES]


def test_a_buffer_seen_waiting_too_long_is_due() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 1, LIKES: 0}, 10.0) == []
    assert schedule.due({POSTS: 1, LIKES: 0}, 129.9) == []
    assert schedule.due({POSTS: 1, LIKES: 0}, 130.0) == [POSTS]
    assert schedule.oldest_wait(POSTS, 130.0) == 120.0


def test_a_wait_ends_when_its_round_succeeds_not_when_the_buffer_is_empty() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    schedule.due({POSTS: 1, LIKES: 1}, 10.0)
    schedule.claimed([POSTS], 11.0, whole=False)
    schedule.due({POSTS: 1, LIKES: 0}, 12.0)
    assert schedule.oldest_wait(POSTS, 20.0) == 8.0
    assert schedule.oldest_wait(LIKES, 20.0) == 10.0
    assert LIKES in schedule.due({POSTS: 0, LIKES: 0}, 130.0)
    schedule.claimed([POSTS, LIKES], 130.0, whole=False)
    assert schedule.oldest_wait(LIKES, 140.0) == 0.0


def test_a_partial_round_does_not_postpone_the_next_whole_round() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    schedule.claimed([LIKES], 299.0, whole=False)
    assert schedule.due({POSTS: 0, LIKES: 0}, 300.0) == [POSTS, LIKES]
    schedule.claimed([POSTS, LIKES], 300.0, whole=True)
    assert schedule.due({POSTS: 0, LIKES: 0}, 599.0) == []


def test_another_archive_is_refused(writer: Pipeline) -> None:
    """The volume is not mounted: the writer must not write to the mount point."""
    writer.write_once()
    writer.writer.settings["ARCHIVE_ROOT"] = str(writer.folder / "unmounted")
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 1
    assert "mount the right volume" in writer.writer.logged("stop.broken")[-1]["error"]


def test_an_existing_claim_is_cut_by_the_chunk_size_in_its_key(writer: Pipeline) -> None:
    events = [(stream, frame) for stream, frame in traffic(3000) if stream == "likes"]
    push(writer, events)
    with writer.tools() as tools:
        tools.rename(buffer_key(Stream.LIKES), claim_key(Stream.LIKES, 500))
    writer.write_once()
    counts = duckdb.execute(
        "SELECT num_rows FROM parquet_file_metadata(?)", [f"{writer.root}/raw/likes/**/*.parquet"]
    ).fetchall()
    assert max(count for (count,) in counts) == 500
    assert audit(writer.root, events).passed
