"""The Jetstream client of PyPI's `atproto`, as its documentation shows it, with a callback that pushes.

It speaks only the v2 wire, so the feed sends it the same events in that form, uncompressed (`v2_wire`). It
builds a validated model of each event and tracks its cursor; the callback pushes the JSON of the model. With
a `batch` of 1 it pushes every event by itself.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import redis

from testing.performance.bench.child import SECONDS, ContestantError, Stopwatch
from testing.performance.bench.receivers.naive import list_of

if TYPE_CHECKING:
    from collections.abc import Callable

REMEDY = "atproto is not installed; `.venv/bin/pip install atproto`, then again"


def receive(url: str, frames: int, redis_url: str, batch: int) -> None:
    """Receive `frames` frames and push them to Redis, timed from the first event that the client returns."""
    try:
        from atproto import JetstreamClient  # noqa: PLC0415 - the bench runs without it too
    except ImportError as error:
        raise ContestantError(REMEDY) from error
    client = JetstreamClient(base_uri=f"{url}/xrpc", compress=False)
    client.start(_pusher(redis.Redis.from_url(redis_url, socket_timeout=SECONDS), frames, batch, client.stop))


def _pusher(server: redis.Redis, frames: int, batch: int, stop: Callable[[], None]) -> Callable[[Any], None]:
    waiting: dict[str, list[str]] = defaultdict(list)
    seen, watch = 0, None

    def push(message: Any) -> None:
        nonlocal seen, watch
        watch = watch or Stopwatch()
        kind = message.py_type.rpartition("#")[2]
        waiting[list_of(kind, getattr(message, "collection", ""))].append(
            message.model_dump_json(by_alias=True)
        )
        seen += 1
        if seen % batch == 0 or seen == frames:
            with server.pipeline(transaction=False) as pipeline:
                for name, events in waiting.items():
                    pipeline.rpush(name, *events)
                pipeline.execute()
            waiting.clear()
        if seen == frames:
            watch.print_figures(frames)
            stop()

    return push


if __name__ == "__main__":
    receive(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
