"""Pushes as the ingester does, into database 1 of a Redis server, where no archive lives."""

from __future__ import annotations

from collections import defaultdict
from itertools import cycle

import redis

from services.buffer.keys import CURSOR, PUSHED, RECENT, buffer_key
from services.shared.event import JETSTREAM_STREAMS, Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

DATABASE = 1
KEPT = 2_000
"""Events that each list keeps: a push must not fill the memory that is the pipeline's."""
DIGEST = bytes(16)


class Pusher:
    """One connection that pushes believable events, the same ones again and again."""

    EVENTS = 10

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(f"{url.rpartition('/')[0]}/{DATABASE}", socket_timeout=30)
        traffic, view = Traffic(7, 1_780_000_000_000_000, 500.0), HostView()
        batches = [
            [traffic.frame(i, view) for i in range(at, at + self.EVENTS)]
            for at in range(0, 200 * self.EVENTS, self.EVENTS)
        ]
        self._batches = cycle([_by_stream(batch) for batch in batches])
        self._number = 0

    def push(self) -> int:
        """Push one batch in one transaction; returns the bytes of its events and digests."""
        batch = next(self._batches)
        self._number += 1
        with self._redis.pipeline(transaction=True) as push:
            for stream, events in batch.items():
                push.rpush(buffer_key(stream), *events)
                push.ltrim(buffer_key(stream), -KEPT, -1)
                push.hincrby(PUSHED, f"{stream}:pushed", len(events))
            push.set(CURSOR, f'{{"push":{self._number}}}')
            push.rpush(RECENT, self._number.to_bytes(8, "big") + DIGEST * self.EVENTS)
            push.ltrim(RECENT, -KEPT, -1)
            push.get(CURSOR)
            replies = push.execute()
        assert replies[-1] == f'{{"push":{self._number}}}'.encode(), "another cursor than the one just set"
        return sum(len(event) for events in batch.values() for event in events) + len(DIGEST) * self.EVENTS

    def clear(self) -> None:
        """Remove all it pushed."""
        self._redis.unlink(CURSOR, PUSHED, RECENT, *map(buffer_key, JETSTREAM_STREAMS))


def _by_stream(batch: list[bytes]) -> dict[Stream, list[bytes]]:
    of_stream: dict[Stream, list[bytes]] = defaultdict(list)
    for event in batch:
        of_stream[Stream(stream_of(event))].append(event)
    return dict(of_stream)
