"""A push stores events and cursor in one transaction, once, and only if the cursor is unchanged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from services.buffer.connection import Full
from services.buffer.push import SLICE, Push, Pusher, RecentPush
from services.shared.cursor import Cursor, Epoch
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.harness.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.redis import RedisServer

START = Cursor(time_us=10**15, epoch=1, push=0, nonce="start")


def identity(number: int) -> bytes:
    return number.to_bytes(16, "big")


def batch(number: int, events: int = 3, size: int = 10) -> Push:
    """Return the push that follows push number - 1."""
    cursor = Cursor(START.time_us + number, 1, number, nonce="mine", host="h", kind="v1")
    posts = [f"{number}/{i}/".encode().ljust(size, b"x") for i in range(events)]
    likes = [f"like {number}".encode()]
    known = tuple(identity(number * 1_000_000 + i) for i in range(events + 1))
    counts = {"posts:pushed": events, "posts:received": events, "likes:pushed": 1, "likes:duplicate": 0}
    elements = {Stream.POSTS: posts, Stream.LIKES: likes, Stream.FOLLOWS: list[bytes]()}
    return Push(
        elements, cursor, RecentPush(cursor.time_us, known), evicted=0, evicted_by_size=0, counts=counts
    )


def held(tools: Redis) -> dict[str, object]:
    """Return everything in Redis except the epoch."""
    found: dict[str, object] = {}
    for raw in tools.scan_iter():
        key = raw.decode() if isinstance(raw, bytes) else str(raw)
        if "buffer" in key or key == "archive:recent":
            found[key] = tools.lrange(key, 0, -1)
        elif key == "archive:pushed":
            found[key] = tools.hgetall(key)
        elif key != "archive:epoch":
            found[key] = tools.get(key)
    return found


def confirm(tools: Redis) -> None:
    """Confirm the cursor, as a writer does after each start of the server."""
    tools.set("archive:epoch", Epoch(1, tools.info("server")["run_id"]).encode())


@pytest.fixture
def tools(redis_server: RedisServer) -> Iterator[Redis]:
    """Return an operator's client of a Redis in which a writer has set the first cursor."""
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as client:
        client.set("archive:cursor", START.encode())
        confirm(client)
        yield client


@pytest.fixture
def pusher(redis_server: RedisServer, tools: Redis) -> Iterator[Pusher]:  # noqa: ARG001 - the cursor first
    """Return a pusher that has read where to resume."""
    with contextlib.closing(Pusher(redis_server.url("ingester"), Stopping())) as one:
        assert one.reset() == (START, [])
        yield one


def test_without_a_cursor_reset_returns_none(redis_server: RedisServer) -> None:
    with contextlib.closing(Pusher(redis_server.url("ingester"), Stopping())) as one:
        assert one.reset() is None


def test_a_push_stores_events_cursor_identities_and_counts(pusher: Pusher, tools: Redis) -> None:
    push = batch(1)
    pusher.push(push)
    assert held(tools) == {
        "archive:buffer:posts": push.elements[Stream.POSTS],
        "archive:buffer:likes": push.elements[Stream.LIKES],
        "archive:cursor": push.cursor.encode(),
        "archive:recent": [push.recent.encode()],
        "archive:pushed": {b"posts:pushed": b"3", b"posts:received": b"3", b"likes:pushed": b"1"},
    }


def test_pushes_keep_their_order_and_their_counts_add_up(pusher: Pusher, tools: Redis) -> None:
    pushes = [batch(number) for number in (1, 2, 3)]
    for push in pushes:
        pusher.push(push)
    posts = tools.lrange("archive:buffer:posts", 0, -1)
    assert posts == [element for push in pushes for element in push.elements[Stream.POSTS]]
    assert tools.hget("archive:pushed", "posts:pushed") == b"9"
    assert tools.get("archive:cursor") == pushes[-1].cursor.encode()


def test_a_reset_returns_cursor_and_any_number_of_identities(pusher: Pusher) -> None:
    pushes = [batch(number, events=1) for number in range(1, SLICE * 2 + 1)]
    for push in pushes[:3]:
        pusher.push(push)
    assert pusher.reset() == (pushes[2].cursor, [push.recent for push in pushes[:3]])
    for push in pushes[3:]:
        pusher.push(push)
    start = pusher.reset()
    assert start is not None
    assert start.recent == [push.recent for push in pushes]


def test_evicted_pushes_are_removed_from_the_old_end(pusher: Pusher) -> None:
    pushes = [batch(number) for number in (1, 2, 3)]
    pusher.push(pushes[0])
    pusher.push(pushes[1])
    pusher.push(pushes[2]._replace(evicted=2))
    start = pusher.reset()
    assert start is not None
    assert start.recent == [pushes[2].recent]


def test_a_push_without_events_stores_only_the_cursor(pusher: Pusher, tools: Redis) -> None:
    push = batch(1)._replace(elements={}, recent=RecentPush(1, ()), counts={})
    pusher.push(push)
    assert held(tools) == {"archive:cursor": push.cursor.encode()}


@pytest.mark.parametrize("number", [1, 7])
def test_a_cursor_written_by_another_client_aborts_the_push_even_if_equal(
    number: int, pusher: Pusher, tools: Redis
) -> None:
    pusher.push(batch(1))
    tools.set("archive:cursor", batch(number).cursor.encode())
    before = held(tools)
    with pytest.raises(Transient, match="another cursor"):
        pusher.push(batch(2))
    assert held(tools) == before
    start = pusher.reset()
    assert start is not None
    assert start.cursor == batch(number).cursor


def test_a_lost_volume_aborts_the_push(pusher: Pusher, tools: Redis) -> None:
    tools.flushall()
    with pytest.raises(Transient):
        pusher.push(batch(1))
    assert held(tools) == {}
    assert pusher.reset() is None


@pytest.mark.parametrize(("events", "size"), [(1, 10), (3000, 1000), (20_000, 50)])
def test_a_full_redis_refuses_the_whole_push_and_accepts_it_later(
    events: int, size: int, pusher: Pusher, tools: Redis
) -> None:
    pusher.push(batch(1))
    before = held(tools)
    used = tools.info("memory")["used_memory"]
    refused = 0
    for more in (-500_000, 0, 300_000, 900_000, 1_500_000, 2_500_000):
        tools.config_set("maxmemory", used + more)
        try:
            pusher.push(batch(2, events, size))
        except Full:
            refused += 1
            assert held(tools) == before, "a refused push changes nothing"
        else:
            break
    assert refused, "the server was full at first"
    if held(tools) == before:
        tools.config_set("maxmemory", "512mb")
        pusher.push(batch(2, events, size))
    assert tools.llen("archive:buffer:posts") == 3 + events
    assert tools.llen("archive:recent") == 2
    assert tools.get("archive:cursor") == batch(2).cursor.encode()


def test_a_full_redis_with_another_cursor_is_transient_not_full(pusher: Pusher, tools: Redis) -> None:
    tools.set("archive:cursor", batch(7).cursor.encode())
    tools.config_set("maxmemory", "1mb")
    with pytest.raises(Transient) as stopped:
        pusher.push(batch(1))
    assert not isinstance(stopped.value, Full), "pausing would keep a batch that can never be pushed"


@pytest.mark.parametrize("answered", [True, False])
def test_after_a_lost_reply_nothing_is_resent(
    answered: bool,  # noqa: FBT001 - a parameter of the table
    redis_server: RedisServer,
    tools: Redis,
) -> None:
    with Proxy(redis_server.port) as proxy:
        one = Pusher(proxy.redirect(redis_server.url("ingester")), Stopping())
        assert one.reset() is not None
        one.push(batch(1))
        if answered:
            proxy.lose_reply(b"EXEC")
        else:
            redis_server.kill()
        with pytest.raises(Transient):
            one.push(batch(2))
        if not answered:
            redis_server.start()
            assert one.reset() is None, "a writer must confirm first that no backup was restored"
            confirm(tools)
        start = one.reset()
        one.close()
    assert start is not None
    pushed = 2 if answered else 1
    assert start.cursor == batch(pushed).cursor
    assert tools.llen("archive:buffer:posts") == 3 * pushed, "applied exactly once, or not at all"
    assert len(start.recent) == pushed


def test_a_second_pusher_ends_the_connection_of_the_first(
    pusher: Pusher, redis_server: RedisServer, tools: Redis
) -> None:
    pusher.push(batch(1))
    with contextlib.closing(Pusher(redis_server.url("ingester"), Stopping())) as second:
        start = second.reset()
        assert start is not None
        assert start.cursor == batch(1).cursor
        before = held(tools)
        with pytest.raises(Transient):
            pusher.push(batch(2))
        assert held(tools) == before
        second.push(batch(2))
    assert tools.llen("archive:buffer:posts") == 6


def test_a_key_of_another_type_is_a_broken_invariant(pusher: Pusher, tools: Redis) -> None:
    tools.set("archive:buffer:posts", "no list")
    with pytest.raises(BrokenInvariant, match="another type"):
        pusher.push(batch(1))


def test_an_invalid_cursor_is_a_broken_invariant(pusher: Pusher, tools: Redis) -> None:
    tools.set("archive:cursor", "{}")
    with pytest.raises(BrokenInvariant, match="archive:cursor holds no cursor"):
        pusher.reset()


def test_memory_can_be_read_between_pushes(pusher: Pusher, tools: Redis) -> None:
    pusher.push(batch(1))
    assert 0 < pusher.memory().share() < 0.1
    tools.config_set("maxmemory", tools.info("memory")["used_memory"] // 2)
    assert pusher.memory().share() > 1
    tools.config_set("maxmemory", "512mb")
    pusher.push(batch(2))
    assert tools.llen("archive:buffer:posts") == 6, "reading it does not end the watch"
