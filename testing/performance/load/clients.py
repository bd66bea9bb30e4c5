"""What Locust's users work with: the host's control socket, pushes into Redis, queries, and event counts."""

from __future__ import annotations

from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
import gevent
import redis
from gevent.lock import RLock
from websocket import create_connection

from services.buffer.keys import CURSOR, PUSHED, RECENT, buffer_key, claim_key
from services.shared.event import JETSTREAM_STREAMS, Stream
from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import decode_answer, encode_command
from testing.harness.truth import stream_of

TIMEOUT_SECONDS = 30.0
DATABASE = 1
KEPT = 2_000
"""Events kept in each list, so that pushes do not fill the pipeline's memory."""
DIGEST = bytes(16)
LIKES = """
    SELECT subject_uri, count(*) AS likes FROM read_parquet('{root}/raw/likes/**/*.parquet')
    WHERE operation = 'create' GROUP BY 1 ORDER BY 2 DESC LIMIT 10
"""
LANGUAGES = """
    SELECT unnest(langs), count(*) FROM read_parquet('{root}/raw/posts/**/*.parquet')
    GROUP BY 1 ORDER BY 2 DESC
"""
COUNT = "SELECT count(*), max(time_us) FROM read_parquet('{root}/raw/likes/**/*.parquet')"
QUERIES = {"count of likes": COUNT, "most liked": LIKES, "languages": LANGUAGES}
WRITER_CHUNK = 100_000
"""WRITER_CHUNK's default, which is part of a claim's key."""
POLL_SECONDS = 0.025


class GeventControl:
    """A control connection of Locust's greenlets, over a client that works with gevent."""

    def __init__(self, address: str) -> None:
        self._socket = create_connection(address, timeout=TIMEOUT_SECONDS)
        self._lock = RLock()

    def send(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command; returns the host's status after it. Raises RefusedError."""
        with self._lock:
            self._socket.send(encode_command(command, arguments))
            return decode_answer(self._socket.recv())

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


class Pusher:
    """Pushes generated events endlessly into database 1 of a Redis server, beside the archive's lists."""

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
        assert replies[-1] == f'{{"push":{self._number}}}'.encode(), "the cursor is not the one just set"
        return sum(len(event) for events in batch.values() for event in events) + len(DIGEST) * self.EVENTS

    def clear(self) -> None:
        """Remove everything it pushed."""
        self._redis.unlink(CURSOR, PUSHED, RECENT, *map(buffer_key, JETSTREAM_STREAMS))


def _by_stream(batch: list[bytes]) -> dict[Stream, list[bytes]]:
    of_stream: dict[Stream, list[bytes]] = defaultdict(list)
    for event in batch:
        of_stream[Stream(stream_of(event))].append(event)
    return dict(of_stream)


class Reader:
    """A reader that queries an archive while it is written, with a single-threaded DuckDB."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._duckdb = duckdb.connect(config={"threads": 1})
        self._names = cycle(QUERIES)
        self._rows = 0

    def query(self) -> tuple[str | None, str | None, int]:
        """Run the next query; returns its name (None while there are no files), the error, and the rows."""
        if not all(any(Path(self._root, "raw", stream).rglob("*.parquet")) for stream in ("likes", "posts")):
            return None, None, 0
        name = next(self._names)
        try:
            found = self._duckdb.execute(QUERIES[name].format(root=self._root)).fetchall()
        except duckdb.Error as error:
            return name, str(error), 0
        if name != "count of likes":
            return name, None, len(found)
        rows, before = int(found[0][0]), self._rows
        self._rows = rows
        return name, f"{before} rows became {rows}" if rows < before else None, rows


Counts = tuple[int, ...]
"""One count per Jetstream stream."""


class CountsWatch:
    """Polls Redis once started; `pushed` and `committed` are the latest counts, shared by a Locust process.

    It reads in one transaction, with commands that change nothing.
    """

    def __init__(self, redis_url: str) -> None:
        self.pushed: Counts = (0,) * len(JETSTREAM_STREAMS)
        self.committed: Counts = self.pushed
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=30)
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Start polling in a greenlet."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._poll)

    def _poll(self) -> None:
        while True:
            try:
                self.pushed, self.committed = self._read_counts()
            except redis.RedisError:
                gevent.sleep(1.0)
            gevent.sleep(POLL_SECONDS)

    def _read_counts(self) -> tuple[Counts, Counts]:
        with self._redis.pipeline(transaction=True) as at_once:
            at_once.hmget(PUSHED, [f"{stream}:pushed" for stream in JETSTREAM_STREAMS])
            for stream in JETSTREAM_STREAMS:
                at_once.llen(buffer_key(stream))
                at_once.llen(claim_key(stream, WRITER_CHUNK))
            counts, *lengths = at_once.execute()
        pushed = tuple(int(count or 0) for count in counts)
        waiting = (sum(lengths[at : at + 2]) for at in range(0, len(lengths), 2))
        return pushed, tuple(count - waits for count, waits in zip(pushed, waiting, strict=True))
