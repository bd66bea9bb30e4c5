"""Recovery: the decision whether a new epoch begins, and its steps against a real Redis."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
import redis

from services.archive.checkpoints import read_checkpoints
from services.archive.paths import checkpoint_path
from services.buffer.claims import Claims
from services.buffer.keys import CURSOR, PUSHED, buffer_key
from services.data_writer.recover import EpochStart, checkpoints_lost, next_epoch, recover, start_cursor
from services.data_writer.settings import WriterSettings
from services.shared.crash_points import CrashPoint, armed
from services.shared.cursor import Cursor
from services.shared.event import GapReason, Stream
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.harness.redis import RedisServer

NOW_US = START_US = 1_790_000_000_000_000


def cursor(time_us: int, epoch: int, push: int) -> Cursor:
    return Cursor(time_us=time_us, epoch=epoch, push=push, host="h", kind="v1", identity="ab")


CHECKPOINTS = {
    Stream.POSTS: cursor(50, 3, 700),
    Stream.LIKES: cursor(90, 3, 900),
    Stream.GAPS: cursor(80, 3, 800),
}


def started(stored: Cursor | None, used: int = 3) -> EpochStart:
    found = next_epoch(stored, CHECKPOINTS, used, NOW_US)
    assert found is not None
    return found


@pytest.mark.parametrize("stored", [cursor(10, 3, 900), cursor(10, 3, 901), cursor(10, 4, 1)])
def test_a_cursor_not_older_than_the_checkpoints_is_valid(stored: Cursor) -> None:
    assert next_epoch(stored, CHECKPOINTS, stored.epoch, NOW_US) is None


def test_an_epoch_that_was_noted_but_not_begun_is_begun_again() -> None:
    """A backup was restored into a full Redis: no cursor could be set, and draining moved the checkpoints."""
    found = started(cursor(10, 3, 900), used=4)
    assert (found.cursor.epoch, found.cursor.time_us) == (5, 50)


@pytest.mark.parametrize("stored", [cursor(99, 3, 899), cursor(99, 2, 5000)])
def test_an_older_cursor_means_a_backup_and_a_new_epoch_from_the_oldest_checkpoint(stored: Cursor) -> None:
    found = started(stored)
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (4, 900, 50)
    assert found.lowered == (Stream.LIKES, Stream.GAPS)
    assert found.gaps == ()


def test_a_backup_of_an_older_epoch_moves_no_checkpoint_forward() -> None:
    """It is older but further on: the events before it may only be in the restored buffers."""
    checkpoints = dict.fromkeys(CHECKPOINTS, cursor(10, 4, 0))
    found = next_epoch(cursor(99, 3, 7), checkpoints, 4, NOW_US)
    assert found is not None
    assert found.cursor == cursor(10, 5, 0)
    assert found.lowered == ()


def test_without_a_cursor_the_checkpoint_with_the_lowest_push_counts_not_the_earliest() -> None:
    assert started(None).cursor == cursor(50, 4, 900)


def test_no_epoch_is_used_twice() -> None:
    assert started(None, used=7).cursor.epoch == 8


def test_a_volume_lost_in_the_first_round_lowers_the_checkpoints_that_had_moved() -> None:
    checkpoints = dict.fromkeys(Stream, start_cursor(1000)) | {Stream.POSTS: cursor(70, 1, 40)}
    found = next_epoch(None, checkpoints, 1, NOW_US)
    assert found is not None
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (2, 40, 1000)
    assert found.lowered == (Stream.POSTS,)


def test_the_start_of_an_archive_is_a_gap_before_it() -> None:
    checkpoints = dict.fromkeys(Stream, start_cursor(1000))
    found = next_epoch(None, checkpoints, 0, NOW_US)
    assert found is not None
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (1, 0, 1000)
    (gap,) = found.gaps
    assert (gap.reason, gap.from_us, gap.to_us) == (GapReason.ARCHIVE_START, 0, 1000)


@pytest.mark.parametrize(("committed_us", "from_us"), [(400, 400), (900, 500)])
def test_lost_checkpoints_resume_at_the_start_of_the_look_back_with_a_gap(
    committed_us: int, from_us: int
) -> None:
    found, gap = checkpoints_lost(committed_us, 500, NOW_US)
    assert found.time_us == 500
    assert found.epoch > 1_000_000_000
    assert (gap.reason, gap.from_us, gap.to_us) == (GapReason.CHECKPOINTS_LOST, from_us, 500)


@pytest.fixture
def claims(redis_server: RedisServer) -> Iterator[Claims]:
    opened = Claims(redis_server.url("writer"), Stopping())
    opened.open()
    yield opened
    opened.close()


def settings(root: Path) -> WriterSettings:
    root.mkdir(exist_ok=True)
    return WriterSettings(archive_root=root, archive_start=START_US)


def test_a_new_archive_sets_the_cursor_and_buffers_one_gap(claims: Claims, tmp_path: Path) -> None:
    recover(settings(tmp_path / "a"), claims)
    position = claims.position()
    assert position.cursor is not None
    assert (position.cursor.time_us, position.cursor.epoch, position.epoch) == (START_US, 1, 1)
    assert position.archive_id == (tmp_path / "a" / ".state/id").read_text()
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 1}
    recover(settings(tmp_path / "a"), claims)
    assert claims.position() == position, "a second recovery changes nothing"


def test_a_lost_volume_resumes_from_the_oldest_checkpoint(
    claims: Claims, tmp_path: Path, redis_server: RedisServer
) -> None:
    recover(settings(tmp_path / "a"), claims)
    moved = claims.position().raw
    assert moved is not None
    later = moved.replace(b'"push":0', b'"push":7').replace(
        str(START_US).encode(), str(START_US + 9).encode()
    )
    for stream in Stream:
        checkpoint_path(tmp_path / "a", stream).write_bytes(later)
    redis_server.kill()
    redis_server.lose_volume()
    redis_server.start()
    claims.open()
    recover(settings(tmp_path / "a"), claims)
    position = claims.position()
    assert position.cursor is not None
    assert (position.cursor.time_us, position.cursor.epoch, position.cursor.push) == (START_US + 9, 2, 7)
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 0}


def test_an_archive_without_checkpoints_resumes_at_the_start_of_the_look_back(
    claims: Claims, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "raw" / "posts" / "year=2026" / "month=09" / "day=21" / "hour=14"
    folder.mkdir(parents=True)
    (folder / f"{START_US}-{START_US + 5}-1-0123456789abcdef01234567.parquet").touch()
    recover(settings(tmp_path / "a"), claims)
    position = claims.position()
    assert position.cursor is not None
    assert abs(time.time() - 86_400 - position.cursor.time_us / 1e6) < 60
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 1}


def test_a_restored_backup_begins_a_new_epoch_that_counts_what_redis_holds(
    claims: Claims, tmp_path: Path, redis_server: RedisServer
) -> None:
    recover(settings(tmp_path / "a"), claims)
    raw = claims.position().raw
    assert raw is not None
    for stream in Stream:
        checkpoint_path(tmp_path / "a", stream).write_bytes(raw.replace(b'"push":0', b'"push":50'))
    redis_server.stop()
    redis_server.start()
    claims.open()
    assert not claims.position().is_confirmed, (
        "after a restart nobody may push before a writer has confirmed the cursor"
    )
    with redis.Redis.from_url(redis_server.url("tools")) as tools:
        tools.rpush(buffer_key(Stream.POSTS), b"{}", b"{}")
        recover(settings(tmp_path / "a"), claims)
        counts = tools.hgetall(PUSHED)
        assert isinstance(tools.get(CURSOR), bytes)
    position = claims.position()
    assert position.cursor is not None
    assert (position.cursor.epoch, position.cursor.push, position.cursor.time_us) == (2, 50, START_US)
    assert counts[b"posts:pushed"] == b"2"
    assert counts[b"gaps:pushed"] == b"1"
    shutil.rmtree(tmp_path / "a")


def test_an_interrupted_creation_of_the_checkpoints_is_completed(claims: Claims, tmp_path: Path) -> None:
    begun = settings(tmp_path / "a")
    dying = RuntimeError("killed after three checkpoints")

    def die(point: CrashPoint) -> None:
        made.append(point)
        if made.count(CrashPoint.RECOVER_CHECKPOINT_CREATED) == 3:
            raise dying

    made: list[CrashPoint] = []
    with armed(die), pytest.raises(RuntimeError):
        recover(begun, claims)
    recover(settings(tmp_path / "a").model_copy(update={"archive_start": START_US + 5}), claims)

    assert {
        stream: cursor.time_us for stream, cursor in read_checkpoints(tmp_path / "a").items()
    } == dict.fromkeys(Stream, START_US), "every stream has one, and the archive start is the first attempt's"
