"""The Jetstream client of PyPI's `atproto`, as its documentation shows it, with a callback that pushes.

It speaks the v2 wire only, so the feed sends it the same events in that form, uncompressed (`v2_wire`). It
makes a validated model of each event and tracks its cursor; the callback turns the model into JSON again,
because that is what there is to push. With a `batch` of 1 it pushes each event by itself, as people write it
first.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import redis

from testing.performance.bench.child import SECONDS, ContestantError, Stopwatch
from testing.performance.bench.receivers.plain import list_of

if TYPE_CHECKING:
    from collections.abc import Callable

MEND = "atproto is not installed; `.venv/bin/pip install atproto`, then again"


def receive(url: str, frames: int, redis_url: str, batch: int) -> None:
    """Receive so many frames into Redis, timed from the first event that the client gives."""
    try:
        from atproto import JetstreamClient  # noqa: PLC0415 - the bench runs without it too
    except ImportError as error:
        raise ContestantError(MEND) from error
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
                for name, elements in waiting.items():
                    pipeline.rpush(name, *elements)
                pipeline.execute()
            waiting.clear()
        if seen == frames:
            watch.tell(frames)
            stop()

    return push


if __name__ == "__main__":
    receive(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
