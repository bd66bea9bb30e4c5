"""Names and paths are a function of the chunk, in UTC."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.archive.paths import (
    HOUR_US,
    MAX_TIME_US,
    Chunk,
    archive_id_path,
    checkpoint_path,
    chunk_id,
    chunk_of,
    lock_path,
    part_path,
    parts_pattern,
    staging_path,
)
from services.shared.event import Stream

ROOT = Path("/archive")
CHUNK = Chunk(Stream.LIKES, 1_783_166_400_000_000, 1_783_170_000_000_000, 3, "0123456789abcdef01234567")


@pytest.fixture(autouse=True)
def _tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()


@pytest.mark.parametrize(
    ("time_us", "directory"),
    [
        (0, "year=1970/month=01/day=01/hour=00"),
        (HOUR_US - 1, "year=1970/month=01/day=01/hour=00"),
        (HOUR_US, "year=1970/month=01/day=01/hour=01"),
        (1_783_166_399_999_999, "year=2026/month=07/day=04/hour=11"),
        (1_783_166_400_000_000, "year=2026/month=07/day=04/hour=12"),
        (1_798_761_599_999_999, "year=2026/month=12/day=31/hour=23"),
        (1_798_761_600_000_000, "year=2027/month=01/day=01/hour=00"),
        (MAX_TIME_US, "year=9999/month=12/day=31/hour=23"),
    ],
)
def test_the_directory_is_that_of_the_utc_hour(time_us: int, directory: str) -> None:
    path = part_path(ROOT, Stream.LIKES, time_us // HOUR_US, CHUNK)
    assert path.parent == ROOT / "raw" / "likes" / directory


def test_a_name_depends_on_the_chunk_only() -> None:
    path = part_path(ROOT, Stream.REJECTS, 5, CHUNK)
    assert path.name == "1783166400000000-1783170000000000-3-0123456789abcdef01234567.parquet"
    assert path.match(parts_pattern(CHUNK.id))
    assert path.is_relative_to(ROOT / "raw" / "rejects")


def test_a_staged_part_lies_below_the_chunk_s_stream_and_is_not_named_parquet() -> None:
    path = staging_path(ROOT, Stream.REJECTS, 5, CHUNK)
    assert path.parent == ROOT / ".state/staging" / "likes"
    assert path.suffix == ".tmp"
    assert path != staging_path(ROOT, Stream.LIKES, 5, CHUNK)
    assert path != staging_path(ROOT, Stream.REJECTS, 6, CHUNK)


def test_an_id_depends_on_events_order_and_stream() -> None:
    same = chunk_id(Stream.LIKES, [b"ab", b"c"])
    assert same == chunk_id(Stream.LIKES, [b"ab", b"c"])
    assert len(same) == 24
    others = [[b"a", b"bc"], [b"c", b"ab"], [b"abc"], [b"ab", b"c", b""], []]
    assert same not in [chunk_id(Stream.LIKES, other) for other in others]
    assert same != chunk_id(Stream.POSTS, [b"ab", b"c"])


def test_an_id_does_not_depend_on_how_much_is_hashed_at_once() -> None:
    events = [b"%d" % number for number in range(5000)]
    assert chunk_id(Stream.LIKES, events) == chunk_id(Stream.LIKES, tuple(events))
    assert chunk_id(Stream.LIKES, events) != chunk_id(Stream.LIKES, [*events[:-1], b"x"])


def test_unreadable_times_do_not_change_the_bounds_of_a_chunk() -> None:
    chunk = chunk_of(Stream.LIKES, [b"a", b"b", b"c"], [7, None, 5])
    assert (chunk.first_us, chunk.last_us, chunk.count) == (5, 7, 3)
    unreadable = chunk_of(Stream.LIKES, [b"a"], [None])
    assert (unreadable.first_us, unreadable.last_us) == (0, 0)


def test_state_is_hidden_from_readers_of_datasets() -> None:
    assert checkpoint_path(ROOT, Stream.LIKES) == ROOT / ".state/checkpoints" / "likes.json"
    assert archive_id_path(ROOT) == ROOT / ".state/id"
    assert lock_path(ROOT, Stream.LIKES) == ROOT / ".state/locks" / "likes"
