"""Path 5: what an event takes in Redis while it waits, plain and as compressed frames of a few events."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import redis
import zstandard

from testing.harness.redis import RedisServer
from testing.performance.bench.child import SECONDS
from testing.performance.bench.figures import spread
from testing.performance.bench.filling import fill
from testing.performance.bench.frames import RATE
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome
from testing.performance.bench.receiving import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from services.shared.event import Stream
    from testing.performance.bench.course import Course

HEAD = ("element", "bytes an event", "hours in 2 GB at 500/s", "hours until the ingester pauses (75 %)")
PLAIN = "plain: one event's JSON"
EVENTS_IN_FRAME = (8, 32, 128)
LEVEL = 3
MEMORY = 2e9
PAUSED = 0.75
HOURS_PLAIN, HOURS_FRAMED = 3.5, 6.0
NOTE = (
    "Growth of used_memory by one list a stream, filled in the order of arrival, with production's "
    "list-compress-depth 1. The identities that the ingester remembers in Redis come besides: 16 bytes "
    "for each event of the last 65 minutes, whatever waits. Frames are zstd 3 of so many events of one "
    "stream; they are measured, not adopted: chunks, LLEN and accounting count elements as events."
)


def run(course: Course) -> Outcome:
    """Measure all forms of an element."""
    kinds = {PLAIN: 1} | {f"zstd frame of {size} events": size for size in EVENTS_IN_FRAME}

    def of_size(size: int) -> Callable[[Path], float]:
        return lambda folder: bytes_an_event(course, folder, size)

    runs = course.alternate(
        {name: of_size(size) for name, size in kinds.items()}, lambda size: f"{size:.0f} bytes an event"
    )
    outcome = Outcome(5, "Waiting in Redis", HEAD, notes=[NOTE])
    for name, found in runs.items():
        hours = [hours_in(size) for size in found]
        paused = spread(hour * PAUSED for hour in hours)
        outcome.rows.append(
            (name, spread(found).told("{:.0f}"), spread(hours).told("{:.2f}"), paused.told("{:.2f}"))
        )
        wanted = HOURS_PLAIN if name == PLAIN else HOURS_FRAMED
        outcome.goals.append(Goal(f"hours in 2 GB, {name}", spread(hours), wanted))
    bars = [Bar(name, spread(found)) for name, found in runs.items()]
    outcome.pictures.append(Bars("Waiting in Redis", "bytes an event", bars))
    return outcome


def hours_in(size: float) -> float:
    """Return for how many hours the network's events fit into the memory, at so many bytes each."""
    return MEMORY / size / RATE / 3600


def bytes_an_event(course: Course, folder: Path, size: int) -> float:
    """Return how much of Redis' memory an event takes in elements of `size` events."""
    server = RedisServer(folder / "redis", maxmemory=room(course.frames.events))
    server.start()
    try:
        with contextlib.closing(redis.Redis.from_url(server.url("tools"), socket_timeout=SECONDS)) as look:
            before = int(look.info("memory")["used_memory"])
            fill(server.url("tools"), framed(course.frames, size))
            return (int(look.info("memory")["used_memory"]) - before) / course.frames.events
    finally:
        server.kill()


def framed(events: Iterable[tuple[Stream, bytes]], size: int) -> Iterator[tuple[Stream, bytes]]:
    """Yield elements of `size` events each, the last of a stream with what is left; of 1, the events."""
    if size == 1:
        yield from events
        return
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    waiting: dict[Stream, list[bytes]] = {}
    for stream, event in events:
        mine = waiting.setdefault(stream, [])
        mine.append(event)
        if len(mine) == size:
            yield stream, compressor.compress(b"\n".join(mine))
            mine.clear()
    for stream, left in waiting.items():
        if left:
            yield stream, compressor.compress(b"\n".join(left))
