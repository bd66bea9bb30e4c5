"""Redis with events in it, put there as the ingester would, for what begins with a full buffer."""

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


def same(stream: Stream) -> str:
    """Return the stream's own list."""
    return buffer_key(stream)


def aside(stream: Stream) -> str:
    """Return a list that no writer looks for, to be renamed once the writer has started."""
    return f"aside:{stream}"


def fill(url: str, events: Iterable[tuple[Stream, bytes]], key_of: Callable[[Stream], str] = same) -> int:
    """Push the events and count them where the ingester does; returns how many there were."""
    done: Counter[str] = Counter()
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=SECONDS)) as server:
        endless = iter(events)
        while push := list(islice(endless, PUSH_EVENTS)):
            lists: dict[Stream, list[bytes]] = {}
            for stream, event in push:
                lists.setdefault(stream, []).append(event)
            with server.pipeline(transaction=True) as at_once:
                for stream, elements in lists.items():
                    at_once.rpush(key_of(stream), *elements)
                    at_once.hincrby(PUSHED, f"{stream}:pushed", len(elements))
                    done[stream] += len(elements)
                at_once.execute()
    return done.total()
