"""The ACL users: each daemon may do its own work on the archive's keys, and nothing else."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from services.shared.buffer.connection import Connection
from services.shared.buffer.server import Memory
from services.shared.errors import BrokenInvariant
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from testing.redis_server import RedisServer


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("ingester", ("RENAMENX", "archive:buffer:posts", "archive:claim:posts:1")),
        ("ingester", ("UNLINK", "archive:buffer:posts")),
        ("writer", ("RPOPLPUSH", "archive:buffer:posts", "archive:claim:posts:1")),
        ("writer", ("HINCRBY", "archive:pushed", "posts:pushed", "1")),
        ("ingester", ("RPUSH", "somebody:elses", "x")),
        ("writer", ("GET", "somebody:elses")),
        ("ingester", ("FLUSHALL",)),
        ("writer", ("CONFIG", "SET", "maxmemory", "1")),
    ],
)
def test_a_daemon_may_do_nothing_beyond_its_work(
    user: str, command: tuple[str, ...], redis_server: RedisServer
) -> None:
    with contextlib.closing(Connection(redis_server.url(user), Stopping())) as one:
        one.open()
        with pytest.raises(BrokenInvariant, match="permission"):
            one.one(*command)


@pytest.mark.parametrize(("used", "ceiling", "share"), [(0, 10, 0.0), (5, 10, 0.5), (12, 10, 1.2)])
def test_the_share_of_memory_in_use_can_pass_one(used: int, ceiling: int, share: float) -> None:
    assert Memory(used, ceiling).share() == share
