"""Recovery against a real Redis: archive start, lost volume, lost checkpoints, restored backup."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from services.archive.checkpoints import read_checkpoints
from services.archive.paths import checkpoint_path
from services.buffer.claims import Claims
from services.buffer.keys import CURSOR, PUSHED, buffer_key
from services.data_writer.recover import recover
from services.data_writer.settings import WriterSettings
from services.shared.crash_points import CrashPoint, armed
from services.shared.event import Stream
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.harness.redis import RedisServer

START_US = 1_790_000_000_000_000


@pytest.fixture
def claims(redis_server: RedisServer) -> Iterator[Claims]:
    opened = Claims(redis_server.url("writer"), Stopping())
    opened.open()
    yield opened
    opened.close()


def settings(root: Path) -> WriterSettings:
    root.mkdir(exist_ok=True)
    return WriterSettings(archive_root=root, archive_start=START_US)


def test_start_sets_the_cursor_and_notes_the_gap(claims: Claims, tmp_path: Path) -> None:
    recover(settings(tmp_path / "a"), claims)
    here = claims.position()
    assert here.cursor is not None
    assert (here.cursor.time_us, here.cursor.epoch, here.epoch) == (START_US, 1, 1)
    assert here.archive_id == (tmp_path / "a" / ".archive-id").read_text()
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 1}
    recover(settings(tmp_path / "a"), claims)
    assert claims.position() == here, "the second time nothing is to be done"


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
    here = claims.position()
    assert here.cursor is not None
    assert (here.cursor.time_us, here.cursor.epoch, here.cursor.push) == (START_US + 9, 2, 7)
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 0}


def test_parts_without_checkpoints_resume_at_the_look_back_s_floor(claims: Claims, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "posts" / "year=2026" / "month=09" / "day=21" / "hour=14"
    folder.mkdir(parents=True)
    (folder / f"{START_US}-{START_US + 5}-1-0123456789abcdef01234567.parquet").touch()
    recover(settings(tmp_path / "a"), claims)
    here = claims.position()
    assert here.cursor is not None
    assert abs(time.time() - 86_400 - here.cursor.time_us / 1e6) < 60
    assert claims.depths([Stream.GAPS]) == {Stream.GAPS: 1}


def test_a_restored_backup_begins_a_new_epoch_whose_counts_are_what_lies_there(
    claims: Claims, tmp_path: Path, redis_server: RedisServer
) -> None:
    import redis  # noqa: PLC0415 - only here

    recover(settings(tmp_path / "a"), claims)
    raw = claims.position().raw
    assert raw is not None
    for stream in Stream:
        checkpoint_path(tmp_path / "a", stream).write_bytes(raw.replace(b'"push":0', b'"push":50'))
    redis_server.stop()
    redis_server.start()
    claims.open()
    assert not claims.position().is_confirmed, "after a restart nobody may push before a writer has looked"
    with redis.Redis.from_url(redis_server.url("tools")) as tools:
        tools.rpush(buffer_key(Stream.POSTS), b"{}", b"{}")
        recover(settings(tmp_path / "a"), claims)
        counts = tools.hgetall(PUSHED)
        assert isinstance(tools.get(CURSOR), bytes)
    here = claims.position()
    assert here.cursor is not None
    assert (here.cursor.epoch, here.cursor.push, here.cursor.time_us) == (2, 50, START_US)
    assert counts[b"posts:pushed"] == b"2"
    assert counts[b"gaps:pushed"] == b"1"
    shutil.rmtree(tmp_path / "a")


def test_a_start_that_died_half_way_is_finished_before_a_stream_may_be_forgotten(
    claims: Claims, tmp_path: Path
) -> None:
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
