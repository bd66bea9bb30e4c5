"""Path 5: Redis' memory per event, plain and as compressed frames of several events."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import redis
import zstandard

from testing.harness.redis import RedisServer
from testing.performance.bench.child import SECONDS
from testing.performance.bench.frames import RATE, fill
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome, spread
from testing.performance.bench.receiving import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from services.shared.event import Stream
    from testing.performance.bench.run import BenchRun

HEAD = ("element", "bytes an event", "hours in 2 GB at 500/s", "hours until the ingester pauses (75 %)")
PLAIN = "plain: one event's JSON"
EVENTS_IN_FRAME = (8, 32, 128)
LEVEL = 3
MEMORY = 2e9
PAUSED = 0.75
HOURS_PLAIN, HOURS_FRAMED = 3.5, 6.0
NOTE = (
    "Growth of used_memory by one list a stream, filled in the order of arrival, with production's "
    "list-compress-depth 1. The dedup window in Redis is not included: 16 bytes "
    "for each event of the last 65 minutes. Frames hold several events of one "
    "stream, compressed with zstd 3; the pipeline does not use them."
)


def run(bench: BenchRun) -> Outcome:
    """Measure every form of an element."""
    kinds = {PLAIN: 1} | {f"zstd frame of {size} events": size for size in EVENTS_IN_FRAME}

    def of_size(size: int) -> Callable[[Path], float]:
        return lambda folder: bytes_an_event(bench, folder, size)

    runs = bench.alternate(
        {name: of_size(size) for name, size in kinds.items()}, lambda size: f"{size:.0f} bytes an event"
    )
    outcome = Outcome(5, "Waiting in Redis", HEAD, notes=[NOTE])
    for name, found in runs.items():
        hours = [hours_in(size) for size in found]
        paused = spread(hour * PAUSED for hour in hours)
        outcome.rows.append(
            (name, spread(found).text("{:.0f}"), spread(hours).text("{:.2f}"), paused.text("{:.2f}"))
        )
        wanted = HOURS_PLAIN if name == PLAIN else HOURS_FRAMED
        outcome.goals.append(Goal(f"hours in 2 GB, {name}", spread(hours), wanted))
    bars = [Bar(name, spread(found)) for name, found in runs.items()]
    outcome.plots.append(Bars("Waiting in Redis", "bytes an event", bars))
    return outcome


def hours_in(size: float) -> float:
    """Return the hours of the network's events that fit into MEMORY at `size` bytes each."""
    return MEMORY / size / RATE / 3600


def bytes_an_event(bench: BenchRun, folder: Path, size: int) -> float:
    """Return Redis' memory per event, in bytes, with elements of `size` events."""
    server = RedisServer(folder / "redis", maxmemory=room(bench.frames.events))
    server.start()
    try:
        with contextlib.closing(redis.Redis.from_url(server.url("tools"), socket_timeout=SECONDS)) as client:
            before = int(client.info("memory")["used_memory"])
            fill(server.url("tools"), framed(bench.frames, size))
            return (int(client.info("memory")["used_memory"]) - before) / bench.frames.events
    finally:
        server.kill()


def framed(events: Iterable[tuple[Stream, bytes]], size: int) -> Iterator[tuple[Stream, bytes]]:
    """Yield elements of `size` events each, the last of a stream with the rest; the events for size 1."""
    if size == 1:
        yield from events
        return
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    waiting: dict[Stream, list[bytes]] = {}
    for stream, event in events:
        group = waiting.setdefault(stream, [])
        group.append(event)
        if len(group) == size:
            yield stream, compressor.compress(b"\n".join(group))
            group.clear()
    for stream, left in waiting.items():
        if left:
            yield stream, compressor.compress(b"\n".join(left))
