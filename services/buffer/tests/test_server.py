"""A server that may lose events is refused, and each Redis user may run only the commands it needs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from services.buffer.connection import Connection, info
from services.buffer.server import Memory, memory, refuse_unsafe
from services.shared.errors import BrokenInvariant
from services.shared.lifecycle import Stopping
from testing.harness.redis import RedisServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("ingester", ("RENAMENX", "archive:buffer:posts", "archive:claim:posts:1")),
        ("ingester", ("UNLINK", "archive:buffer:posts")),
        ("writer", ("RPOPLPUSH", "archive:buffer:posts", "archive:claim:posts:1")),
        ("writer", ("HINCRBY", "archive:pushed", "posts:pushed", "1")),
        ("ingester", ("RPUSH", "other:key", "x")),
        ("writer", ("GET", "other:key")),
        ("ingester", ("FLUSHALL",)),
        ("writer", ("CONFIG", "SET", "maxmemory", "1")),
    ],
)
def test_a_user_may_run_only_the_commands_of_its_daemon(
    user: str, command: tuple[str, ...], redis_server: RedisServer
) -> None:
    with contextlib.closing(Connection(redis_server.url(user), Stopping())) as one:
        one.open()
        with pytest.raises(BrokenInvariant, match="permission"):
            one.one(*command)


@pytest.mark.parametrize(("used", "ceiling", "share"), [(0, 10, 0.0), (5, 10, 0.5), (12, 10, 1.2)])
def test_the_share_of_memory_in_use_can_pass_one(used: int, ceiling: int, share: float) -> None:
    assert Memory(used, ceiling).share() == share


SAFE = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always", "maxmemory": "64mb"}


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("maxmemory-policy", "allkeys-lru", "set maxmemory-policy noeviction in redis.conf"),
        ("maxmemory-policy", "volatile-ttl", "set maxmemory-policy noeviction in redis.conf"),
        ("appendonly", "no", "set appendonly yes in redis.conf"),
        ("appendfsync", "everysec", "set appendfsync always in redis.conf"),
        ("appendfsync", "no", "set appendfsync always in redis.conf"),
        ("no-appendfsync-on-rewrite", "yes", "set no-appendfsync-on-rewrite no in redis.conf"),
        ("maxmemory", "0", "no maxmemory; set one in redis.conf"),
    ],
)
def test_an_unsafe_server_is_refused_with_the_remedy(
    name: str, value: str, remedy: str, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", settings={**SAFE, name: value})
    server.start()
    one = Connection(server.url("ingester"), Stopping())
    try:
        one.open()
        with pytest.raises(BrokenInvariant, match=remedy):
            refuse_unsafe(one)
    finally:
        one.close()
        server.kill()


def test_a_safe_server_is_accepted_and_reports_its_memory(redis_server: RedisServer) -> None:
    with contextlib.closing(Connection(redis_server.url("writer"), Stopping())) as one:
        one.open()
        refuse_unsafe(one)
        room = memory(one)
        facts = info(one, "server")
    assert room.ceiling == 512 << 20
    assert 0 < room.used < room.ceiling
    assert room.share() == room.used / room.ceiling
    assert facts["run_id"] == one.run_id
