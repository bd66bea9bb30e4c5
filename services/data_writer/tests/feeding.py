"""Events for a writer without an ingester."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from services.buffer.keys import buffer_key
from services.shared.event import Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


FIRST_US = 1_790_000_000_000_000


def traffic(events: int, *, first_us: int = FIRST_US, rate: float = 500.0) -> list[tuple[str, bytes]]:
    """Return generated events with their streams."""
    frames = Traffic(11, first_us, rate, events).truth(HostView())
    return [(stream_of(frame), frame) for frame in frames]


def push(running: Pipeline, events: Iterable[tuple[str, bytes]]) -> None:
    """Push events to the buffers, as an ingester does."""
    lists: dict[str, list[bytes]] = defaultdict(list)
    for stream, frame in events:
        lists[stream].append(frame)
    with running.tools() as tools:
        for stream, frames in lists.items():
            for at in range(0, len(frames), 2000):
                tools.rpush(buffer_key(Stream(stream)), *frames[at : at + 2000])


def wait_for_parts(running: Pipeline, count: int) -> None:
    """Wait until the archive has so many parts."""
    wait_for(lambda: len(list(running.root.glob("raw/*/year=*/**/*.parquet"))) >= count, 60, f"{count} parts")
