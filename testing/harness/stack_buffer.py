"""What a test does to a stack's Redis by hand: push events as the ingester would, fill it, look into it."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from itertools import cycle, islice
from typing import TYPE_CHECKING

import redis

from services.buffer.keys import PUSHED, buffer_key
from services.shared.event import Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.stack import Stack

PUSH_EVENTS = 5000
BALLAST = "archive:test:ballast"


def client(stack: Stack, role: str = "tools") -> redis.Redis:
    """Return a client of the stack's Redis."""
    return redis.Redis.from_url(stack.redis_url(role), socket_timeout=30)


def events(count: int) -> list[tuple[Stream, bytes]]:
    """Return distinct believable events, each with its stream."""
    traffic, view = Traffic(1, 1_780_000_000_000_000, 500.0, count), HostView()
    return [(Stream(stream_of(frame)), frame) for frame in traffic.truth(view)]


def push(server: redis.Redis, some: list[tuple[Stream, bytes]], count: int) -> Iterator[int]:
    """Push `count` events, `some` again and again; gives the number pushed so far after every push."""
    endless, done = cycle(some), 0
    while done < count:
        by_stream: dict[Stream, list[bytes]] = defaultdict(list)
        for stream, event in islice(endless, min(PUSH_EVENTS, count - done)):
            by_stream[stream].append(event)
        with server.pipeline(transaction=True) as transaction:
            for stream, of_stream in by_stream.items():
                transaction.rpush(buffer_key(stream), *of_stream)
            transaction.execute()
        done += sum(map(len, by_stream.values()))
        yield done


def fill(server: redis.Redis, share: float) -> None:
    """Push ballast until so much of maxmemory is in use, or until Redis refuses."""
    ceiling = int(server.info("memory")["maxmemory"])
    # Ever smaller, and nothing that could be compressed, so that at last not even a little is accepted; on
    # connections of their own, because Redis counts what it still holds of a block that it refused.
    for block in (os.urandom(ceiling // 1000), os.urandom(4096), os.urandom(512)):
        with contextlib.suppress(redis.OutOfMemoryError):
            while server.info("memory")["used_memory"] < share * ceiling:
                server.rpush(BALLAST, block)
        server.connection_pool.disconnect()


def waiting(server: redis.Redis) -> int:
    """Return how many events are in the buffers and claims."""
    keys = [*server.scan_iter("archive:buffer:*"), *server.scan_iter("archive:claim:*")]
    return sum(server.llen(key) for key in keys)


def pushed(server: redis.Redis) -> int:
    """Return how many events the ingester has pushed in this epoch."""
    names = [f"{stream}:pushed" for stream in Stream if stream not in (Stream.REJECTS, Stream.GAPS)]
    return sum(int(count or 0) for count in server.hmget(PUSHED, names))
