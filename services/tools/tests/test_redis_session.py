"""Sessions with Redis, and when events count as committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from services.archive.checkpoints import create_checkpoints, write_checkpoint
from services.buffer.claims import Claims
from services.shared.cursor import Cursor
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from services.shared.settings import Settings
from services.tools.redis_session import EpochEnded, Position, RedisSession, uncommitted

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.redis import RedisServer

STREAMS = (Stream.POSTS, Stream.LIKES)


def cursor(push: int) -> bytes:
    return Cursor(time_us=10**15, epoch=1, push=push).encode()


@pytest.fixture
def claims(redis_server: RedisServer) -> Claims:
    looking = Claims(redis_server.url("operator"), Stopping())
    looking.open(fence=False)
    return looking


@pytest.fixture
def tools(redis_server: RedisServer) -> Redis:
    client = Redis.from_url(redis_server.url("tools"))
    client.set("archive:epoch", "1 life")
    return client


def test_only_a_later_checkpoint_means_committed(tmp_path: Path, tools: Redis, claims: Claims) -> None:
    create_checkpoints(tmp_path, Stream, cursor(5))
    tools.rpush("archive:buffer:posts", "a")
    tools.rpush("archive:claim:likes:100", "b")
    assert uncommitted(claims, tmp_path, Position(1, 5), STREAMS) == list(STREAMS), (
        "the same cursor is not enough"
    )
    write_checkpoint(tmp_path, Stream.POSTS, cursor(6))
    assert uncommitted(claims, tmp_path, Position(1, 5), STREAMS) == [Stream.LIKES]


def test_an_empty_buffer_without_claims_means_committed(tmp_path: Path, tools: Redis, claims: Claims) -> None:
    create_checkpoints(tmp_path, Stream, cursor(5))
    tools.rpush("archive:claim:likes:100", "b")
    assert uncommitted(claims, tmp_path, Position(1, 5), STREAMS) == [Stream.LIKES]
    tools.delete("archive:claim:likes:100")
    assert uncommitted(claims, tmp_path, Position(1, 5), STREAMS) == []


def test_another_epoch_raises(tmp_path: Path, tools: Redis, claims: Claims) -> None:
    create_checkpoints(tmp_path, Stream, cursor(9))
    tools.set("archive:epoch", "2 life")
    with pytest.raises(EpochEnded):
        uncommitted(claims, tmp_path, Position(1, 5), STREAMS)


def test_a_folder_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenInvariant, match="ARCHIVE_ROOT"):
        RedisSession(Settings(archive_root=tmp_path), Stopping())


def test_work_is_not_repeated_when_stopping(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/id").write_text("0123456789abcdef", encoding="ascii")
    stopping = Stopping()
    session = RedisSession(
        Settings(archive_root=tmp_path, redis_url="redis://tools:any@127.0.0.1:9/0"), stopping
    )
    with pytest.raises(Transient):
        session.open()
    stopping.set()
    assert session.until_done(lambda: "done") is None
