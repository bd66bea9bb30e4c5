"""The least that buffering costs: the same bytes from memory into Redis, in pushes as large as ours."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from testing.harness.truth import stream_of
from testing.performance.bench.child import SECONDS, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Sequence

PUSH_EVENTS = 5000
PUSH_BYTES = 4 << 20
"""The ingester's defaults: a push ends at the one or the other."""


def pushes(frames: Sequence[tuple[str, bytes]]) -> list[dict[str, list[bytes]]]:
    """Return the frames by list, a push at a time."""
    done: list[dict[str, list[bytes]]] = []
    events = size = 0
    for name, frame in frames:
        if not done or events == PUSH_EVENTS or size >= PUSH_BYTES:
            done.append({})
            events = size = 0
        done[-1].setdefault(name, []).append(frame)
        events += 1
        size += len(frame)
    return done


def push(path: Path, events: int, redis_url: str) -> None:
    """Push the file's first events, timed from the first push to the last reply."""
    with path.open("rb") as file:
        lines = [line.rstrip(b"\n") for line in islice(file, events)]
    ready = pushes([(f"events:{stream_of(line)}", line) for line in lines])
    server = redis.Redis.from_url(redis_url, socket_timeout=SECONDS)
    server.ping()
    watch = Stopwatch()
    for lists in ready:
        with server.pipeline(transaction=False) as pipeline:
            for name, elements in lists.items():
                pipeline.rpush(name, *elements)
            pipeline.execute()
    watch.tell(len(lines))


if __name__ == "__main__":
    push(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
