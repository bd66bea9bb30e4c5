"""Path 1: receive, validate, buffer. The ingester beside a bare loop, a naive script and the SDK."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import redis

from testing.harness.pipeline import Pipeline
from testing.harness.redis import RedisServer
from testing.performance.bench.child import SECONDS, ContestantError, finish, start
from testing.performance.bench.frames import render_v2
from testing.performance.bench.outcome import Bar, Bars, Figures, Goal, Outcome, ratio, spread
from testing.performance.bench.processes import MOST_BUSY, FeedProcess, ProcessUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.performance.bench.frames import Frames
    from testing.performance.bench.run import BenchRun

HEAD = ("contestant", "events/s", "CPU s a million", "peak RSS MB", "events", "feed's share of a core")
OURS = "ingester: validated, deduplicated, with its cursor, acknowledged by Redis"
BARE = "(a) bare websockets receive loop"
NAIVE = "(b) json.loads + RPUSH an event"
NAIVE_SYNCED = "(b) the same, on a Redis that syncs as ours"
SDK = "(c) atproto's JetstreamClient + RPUSH an event"
SDK_BATCHED = "(c) the same, 500 events a push"
SLOW_SHARE = 10
"""Slow contestants get one event in SLOW_SHARE."""
BATCH = 500
BYTES_PER_EVENT = 2000
"""Redis' memory per event, so that the ingester does not pause."""
SYNC_NOTE = (
    "The ingester uses a Redis that syncs its log at every write, (b) and (c) one that syncs once a second, "
    "Redis' default, where the row does not say otherwise."
)
CONTESTANTS_NOTE = (
    "(a) keeps nothing. (c) reads the v2 wire, the only one it speaks, uncompressed, without records "
    "that are no map, which end it. Only the ingester drops repeats, keeps a cursor and bounds its memory."
)
SHARE_NOTE = (
    "CPU and memory are the contestant's own; Redis and the feed share the cores with it. (b) and (c) get "
    f"one event in {SLOW_SHARE}, so that a run ends."
)


def run(bench: BenchRun) -> Outcome:
    """Measure all contestants, and compare the ingester with its goals."""
    frames, busy = bench.frames, dict[str, list[float]]()
    few = max(1, frames.events // SLOW_SHARE)
    v2 = render_v2(frames.path, bench.folder / "frames.v2.jsonl")

    def fed(
        name: str, module: str, file: Path, events: int, *words: str, fsync: str = "everysec"
    ) -> Callable[[Path], Figures]:
        def measure(folder: Path) -> Figures:
            with FeedProcess(file, events) as feed, _server(folder, events, fsync) as url:
                figures = by_a_client(
                    feed, f"testing.performance.bench.receivers.{module}", events, url, *words
                )
                if module != "bare":
                    _require_all_pushed(url, events)
                busy.setdefault(name, []).append(feed.cpu() / figures.seconds)
            return figures

        return measure

    def ours(folder: Path) -> Figures:
        figures, fed_cpu = by_the_ingester(folder, frames)
        busy.setdefault(OURS, []).append(fed_cpu / figures.seconds)
        return figures

    runs = bench.alternate(
        {
            BARE: fed(BARE, "bare", frames.path, frames.events),
            OURS: ours,
            NAIVE: fed(NAIVE, "naive", frames.path, few),
            NAIVE_SYNCED: fed(NAIVE_SYNCED, "naive", frames.path, few, fsync="always"),
            SDK: fed(SDK, "sdk", v2, few, "1"),
            SDK_BATCHED: fed(SDK_BATCHED, "sdk", v2, few, str(BATCH)),
        },
        lambda figures: f"{figures.rate:,.0f} events/s",
    )
    return _outcome(runs, busy)


def by_the_ingester(folder: Path, frames: Frames) -> tuple[Figures, float]:
    """Measure the ingester from the first frame sent until Redis has acknowledged the last event.

    Also returns the CPU seconds of the feed.
    """
    pipeline = Pipeline(folder, [], start_us=frames.start_us)
    pipeline.redis.maxmemory = room(frames.events)
    pipeline.redis.start()
    try:
        pipeline.configure()
        pipeline.write_once()
        with FeedProcess(frames.path, frames.events) as feed:
            pipeline.ingester.settings["INGEST_HOSTS"] = feed.url
            pipeline.ingester.start()
            feed.wait_connected()
            assert pipeline.ingester.process is not None
            with ProcessUsage(pipeline.ingester.process.pid) as usage:
                began = time.perf_counter()
                feed.go()
                pipeline.wait_pushed(frames.events, SECONDS)
                seconds = time.perf_counter() - began
            fed_cpu = feed.cpu()
            assert pipeline.distinct() == frames.events
            assert pipeline.ingester.stop() == 0
        return Figures(frames.events, seconds, usage.cpu, usage.rss), fed_cpu
    finally:
        pipeline.end()


def room(events: int) -> str:
    """Return a maxmemory that is ample for this many events."""
    return f"{max(512, events * BYTES_PER_EVENT // 1_000_000)}mb"


@contextlib.contextmanager
def _server(folder: Path, events: int, fsync: str) -> Iterator[str]:
    server = RedisServer(folder / "redis", maxmemory=room(events), settings={"appendfsync": fsync})
    server.start()
    try:
        yield server.url("tools")
    finally:
        server.kill()


def _require_all_pushed(url: str, events: int) -> None:
    """Raise ContestantError if a contestant did not push every event."""
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=SECONDS)) as server:
        pushed = sum(server.llen(key) for key in server.scan_iter("events:*"))
    if pushed != events:
        raise ContestantError(f"it pushed {pushed:,} of {events:,} events")


def by_a_client(feed: FeedProcess, module: str, events: int, *words: str) -> Figures:
    """Measure a contestant that connects to a feed."""
    contestant = start(module, feed.url, str(events), *words)
    try:
        feed.wait_connected()
        feed.go()
    except BaseException:
        contestant.kill()
        raise
    return finish(contestant)


def _outcome(runs: dict[str, list[Figures]], busy: dict[str, list[float]]) -> Outcome:
    rates = {name: [figures.rate for figures in found] for name, found in runs.items()}
    outcome = Outcome(1, "Receive, validate, buffer", HEAD)
    for name, found in runs.items():
        share = busy.get(name)
        outcome.rows.append(
            (
                name,
                spread(rates[name]).text("{:,.0f}"),
                spread(figures.cpu_a_million for figures in found).text("{:.1f}"),
                spread(figures.rss / 1e6 for figures in found).text("{:,.0f}"),
                f"{found[0].events:,}",
                "" if share is None else spread(share).text("{:.0%}"),
            )
        )
        if share is not None and spread(share).median > MOST_BUSY:
            outcome.notes.append(f"{name}: the feed may have been its bottleneck; it could be faster.")
    wanted = {BARE: 0.6, NAIVE: 5.0, NAIVE_SYNCED: 5.0, SDK: 5.0, SDK_BATCHED: 5.0}
    outcome.goals += [
        Goal(f"ingester / {name}", ratio(rates[OURS], rates[name]), least)
        for name, least in wanted.items()
        if name in runs and OURS in runs
    ]
    outcome.notes += [SYNC_NOTE, CONTESTANTS_NOTE, SHARE_NOTE]
    bars = [Bar(name, spread(found)) for name, found in rates.items()]
    outcome.plots.append(Bars("Receive, validate, buffer", "events/s", bars))
    return outcome
