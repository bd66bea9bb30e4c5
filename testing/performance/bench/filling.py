"""Fill Redis with events, as the ingester would."""

from __future__ import annotations

import contextlib
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import redis

from services.buffer.keys import PUSHED, buffer_key
from testing.performance.bench.child import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.shared.event import Stream

PUSH_EVENTS = 5000


def hidden_key(stream: Stream) -> str:
    """Return the key of a list that no writer reads, to be renamed once the writer has started."""
    return f"hidden:{stream}"


def fill(
    url: str, events: Iterable[tuple[Stream, bytes]], key_of: Callable[[Stream], str] = buffer_key
) -> int:
    """Push the events, add them to the ingester's counts, and return how many there were."""
    done: Counter[str] = Counter()
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=SECONDS)) as server:
        remaining = iter(events)
        while push := list(islice(remaining, PUSH_EVENTS)):
            lists: dict[Stream, list[bytes]] = {}
            for stream, event in push:
                lists.setdefault(stream, []).append(event)
            with server.pipeline(transaction=True) as transaction:
                for stream, found in lists.items():
                    transaction.rpush(key_of(stream), *found)
                    transaction.hincrby(PUSHED, f"{stream}:pushed", len(found))
                    done[stream] += len(found)
                transaction.execute()
    return done.total()
