"""How far the events have come, seen once for all users of a Locust process: pushed, and committed.

Reads Redis only, in one transaction a look, with commands that change nothing.
"""

from __future__ import annotations

import gevent
import redis

from services.buffer.keys import PUSHED, buffer_key, claim_key
from services.shared.event import JETSTREAM_STREAMS

CHUNK = 100_000
"""WRITER_CHUNK's default: part of a claim's name."""
LOOK_SECONDS = 0.025
Counts = tuple[int, ...]
"""One count a Jetstream stream, in their order."""


class Watch:
    """Looks again and again once started; `pushed` and `committed` are what it saw last."""

    def __init__(self, redis_url: str) -> None:
        self.pushed: Counts = (0,) * len(JETSTREAM_STREAMS)
        self.committed: Counts = self.pushed
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=30)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin to look, in a greenlet of its own."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._look_for_ever)

    def _look_for_ever(self) -> None:
        while True:
            try:
                self.pushed, self.committed = self._look()
            except redis.RedisError:
                gevent.sleep(1.0)
            gevent.sleep(LOOK_SECONDS)

    def _look(self) -> tuple[Counts, Counts]:
        with self._redis.pipeline(transaction=True) as at_once:
            at_once.hmget(PUSHED, [f"{stream}:pushed" for stream in JETSTREAM_STREAMS])
            for stream in JETSTREAM_STREAMS:
                at_once.llen(buffer_key(stream))
                at_once.llen(claim_key(stream, CHUNK))
            counts, *lengths = at_once.execute()
        pushed = tuple(int(count or 0) for count in counts)
        waiting = (sum(lengths[at : at + 2]) for at in range(0, len(lengths), 2))
        return pushed, tuple(count - waits for count, waits in zip(pushed, waiting, strict=True))
