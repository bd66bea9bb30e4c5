"""An operator push: all or nothing, once, and an ingester is not disturbed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from services.buffer.connection import Full
from services.buffer.operator_push import SLICE, OperatorPusher
from services.buffer.push import Pusher
from services.buffer.tests.test_push import START, batch, confirm
from services.shared.cursor import Epoch
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.harness.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.redis import RedisServer

ID = "archive-1"
COUNTS = {"posts:received": 2, "posts:pushed": 2}


@pytest.fixture
def tools(redis_server: RedisServer) -> Iterator[Redis]:
    client = Redis.from_url(redis_server.url("tools"))
    client.set("archive:cursor", START.encode())
    client.set("archive:id", ID)
    confirm(client)
    yield client
    client.close()


def opened(url: str) -> OperatorPusher:
    pusher = OperatorPusher(url, Stopping())
    pusher.open(ID)
    return pusher


def posts(tools: Redis) -> list[bytes]:
    return [bytes(one) for one in tools.lrange("archive:buffer:posts", 0, -1) if isinstance(one, bytes)]


def push(pusher: OperatorPusher, *elements: bytes) -> None:
    pusher.push({Stream.POSTS: elements}, COUNTS)


def test_a_push_stores_events_and_counts_but_no_cursor(redis_server: RedisServer, tools: Redis) -> None:
    pusher = opened(redis_server.url("operator"))
    push(pusher, b"a", b"b")
    push(pusher, b"c", b"d")
    assert posts(tools) == [b"a", b"b", b"c", b"d"]
    assert tools.hgetall("archive:pushed") == {b"posts:received": b"4", b"posts:pushed": b"4"}
    assert tools.get("archive:cursor") == START.encode()


def test_an_ingester_pushes_at_the_same_time(redis_server: RedisServer, tools: Redis) -> None:
    ingester = Pusher(redis_server.url("ingester"), Stopping())
    assert ingester.reset() is not None
    ingester.push(batch(1))
    pusher = opened(redis_server.url("operator"))
    push(pusher, b"operator")
    ingester.push(batch(2))
    push(pusher, b"again")
    assert {b"operator", b"again"} < set(posts(tools))
    assert len(posts(tools)) == 8


def test_a_push_whose_reply_was_lost_is_stored_once(redis_server: RedisServer, tools: Redis) -> None:
    with Proxy(redis_server.port) as proxy:
        pusher = opened(proxy.redirect(redis_server.url("operator")))
        proxy.lose_reply(b"EXEC")
        with pytest.raises(Transient):
            push(pusher, b"a")
    assert posts(tools) == [b"a"]


def test_a_late_push_of_an_older_connection_aborts_the_next_push(
    redis_server: RedisServer, tools: Redis
) -> None:
    older, newer = opened(redis_server.url("operator")), opened(redis_server.url("operator"))
    push(older, b"late")
    with pytest.raises(Transient):
        push(newer, b"late")
    assert posts(tools) == [b"late"]
    newer.open(ID)
    push(newer, b"other")
    assert posts(tools) == [b"late", b"other"]


def test_a_new_epoch_aborts_the_push(redis_server: RedisServer, tools: Redis) -> None:
    pusher = opened(redis_server.url("operator"))
    tools.set("archive:epoch", Epoch(2, tools.info("server")["run_id"]).encode())
    with pytest.raises(Transient):
        push(pusher, b"a")
    assert posts(tools) == []


def test_a_full_redis_refuses_the_push_and_accepts_it_later(redis_server: RedisServer, tools: Redis) -> None:
    pusher = opened(redis_server.url("operator"))
    tools.config_set("maxmemory", "1mb")
    with pytest.raises(Full):
        push(pusher, b"a")
    tools.config_set("maxmemory", "512mb")
    push(pusher, b"a")
    assert posts(tools) == [b"a"]


def test_open_requires_a_confirmed_cursor_and_the_same_archive(
    redis_server: RedisServer, tools: Redis
) -> None:
    pusher = OperatorPusher(redis_server.url("operator"), Stopping())
    with pytest.raises(BrokenInvariant, match="archive-1"):
        pusher.open("another")
    tools.set("archive:epoch", "1 another-life")
    with pytest.raises(Transient, match="writer"):
        pusher.open(ID)


def test_waiting_misses_nothing_whatever_is_acked_meanwhile(redis_server: RedisServer, tools: Redis) -> None:
    claimed = [f"{number}".encode() for number in range(3 * SLICE)]
    tools.rpush("archive:claim:posts:100", *claimed)
    tools.rpush("archive:buffer:posts", b"new")
    seen: list[bytes] = []
    for number, elements in enumerate(opened(redis_server.url("operator")).waiting(Stream.POSTS)):
        seen += elements
        if number == 1:
            tools.ltrim("archive:claim:posts:100", 500, -1)
    assert {b"new", *claimed[500:]} <= set(seen)


def test_a_key_of_another_type_is_a_broken_invariant(redis_server: RedisServer, tools: Redis) -> None:
    pusher = opened(redis_server.url("operator"))
    tools.set("archive:buffer:posts", "no list")
    with pytest.raises(BrokenInvariant, match="applied in part"):
        push(pusher, b"a")
    with contextlib.suppress(Transient):
        pusher.close()
