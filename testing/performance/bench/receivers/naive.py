"""A naive ingester: parse a message, push it, receive the next. One RPUSH per event."""

from __future__ import annotations

import asyncio
import json
import sys

import redis
from websockets.asyncio.client import connect

from testing.harness.truth import KINDS, STREAMS
from testing.performance.bench.child import SECONDS, Stopwatch


def list_of(kind: str, collection: str) -> str:
    """Return the key of the list that an event goes to: one per stream."""
    return f"events:{KINDS.get(kind) or STREAMS.get(collection, 'records')}"


async def receive(url: str, frames: int, redis_url: str) -> None:
    """Receive `frames` frames and push them to Redis, timed from the first."""
    server = redis.Redis.from_url(redis_url, socket_timeout=SECONDS)
    async with connect(url, max_size=None) as socket:
        watch = None
        for _ in range(frames):
            message = await socket.recv()
            watch = watch or Stopwatch()
            event = json.loads(message)
            server.rpush(list_of(event["kind"], event.get("commit", {}).get("collection", "")), message)
        assert watch is not None
        watch.print_figures(frames)
        socket.transport.abort()


if __name__ == "__main__":
    asyncio.run(receive(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
