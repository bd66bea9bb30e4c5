"""Path 1: receive, validate, buffer. The ingester beside a bare loop, a naive script and the SDK."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import redis

from testing.harness.pipeline import Pipeline
from testing.harness.redis import RedisServer
from testing.performance.bench.child import SECONDS, ContestantError, finish, start
from testing.performance.bench.fed import MOST_BUSY, Fed
from testing.performance.bench.figures import Figures, ratio, spread
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome
from testing.performance.bench.v2_wire import render_v2
from testing.performance.bench.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.performance.bench.course import Course
    from testing.performance.bench.frames import Frames

HEAD = ("contestant", "events/s", "CPU s a million", "peak RSS MB", "events", "feed's share of a core")
OURS = "ingester: validated, deduplicated, with its cursor, acknowledged by Redis"
BARE = "(a) bare websockets receive loop"
NAIVE = "(b) json.loads + RPUSH an event"
NAIVE_SYNCED = "(b) the same, on a Redis that syncs as ours"
SDK = "(c) atproto's JetstreamClient + RPUSH an event"
SDK_BATCHED = "(c) the same, 500 events a push"
SLOW_SHARE = 10
"""Slow contestants get one event in so many, so that a run ends."""
BATCH = 500
BYTES_PER_EVENT = 2000
"""Memory of Redis for each: the ingester must not pause."""
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


def run(course: Course) -> Outcome:
    """Measure all contestants, and hold the ingester against its goals."""
    frames, busy = course.frames, dict[str, list[float]]()
    few = max(1, frames.events // SLOW_SHARE)
    v2 = render_v2(frames.path, course.folder / "frames.v2.jsonl")

    def fed(
        name: str, module: str, file: Path, events: int, *words: str, fsync: str = "everysec"
    ) -> Callable[[Path], Figures]:
        def measure(folder: Path) -> Figures:
            with Fed(file, events) as feed, _server(folder, events, fsync) as url:
                figures = by_a_client(
                    feed, f"testing.performance.bench.receivers.{module}", events, url, *words
                )
                if module != "bare":
                    _refuse_short(url, events)
                busy.setdefault(name, []).append(feed.cpu() / figures.seconds)
            return figures

        return measure

    def ours(folder: Path) -> Figures:
        figures, fed_cpu = by_the_ingester(folder, frames)
        busy.setdefault(OURS, []).append(fed_cpu / figures.seconds)
        return figures

    runs = course.alternate(
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

    Returns also how many CPU seconds the feed used.
    """
    pipeline = Pipeline(folder, [], start_us=frames.start_us)
    pipeline.redis.maxmemory = room(frames.events)
    pipeline.redis.start()
    try:
        pipeline.configure()
        pipeline.write_once()
        with Fed(frames.path, frames.events) as feed:
            pipeline.ingester.settings["INGEST_HOSTS"] = feed.url
            pipeline.ingester.start()
            feed.wait_connected()
            assert pipeline.ingester.process is not None
            with Watched(pipeline.ingester.process.pid) as watched:
                began = time.perf_counter()
                feed.go()
                pipeline.wait_pushed(frames.events, SECONDS)
                seconds = time.perf_counter() - began
            fed_cpu = feed.cpu()
            assert pipeline.distinct() == frames.events
            assert pipeline.ingester.stop() == 0
        return Figures(frames.events, seconds, watched.cpu, watched.rss), fed_cpu
    finally:
        pipeline.end()


def room(events: int) -> str:
    """Return a maxmemory that so many events do not come near."""
    return f"{max(512, events * BYTES_PER_EVENT // 1_000_000)}mb"


@contextlib.contextmanager
def _server(folder: Path, events: int, fsync: str) -> Iterator[str]:
    server = RedisServer(folder / "redis", maxmemory=room(events), settings={"appendfsync": fsync})
    server.start()
    try:
        yield server.url("tools")
    finally:
        server.kill()


def _refuse_short(url: str, events: int) -> None:
    """Refuse figures of a contestant that did not push every event."""
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=SECONDS)) as server:
        pushed = sum(server.llen(key) for key in server.scan_iter("events:*"))
    if pushed != events:
        raise ContestantError(f"it pushed {pushed:,} of {events:,} events")


def by_a_client(feed: Fed, module: str, events: int, *words: str) -> Figures:
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
                spread(rates[name]).told("{:,.0f}"),
                spread(figures.cpu_a_million for figures in found).told("{:.1f}"),
                spread(figures.rss / 1e6 for figures in found).told("{:,.0f}"),
                f"{found[0].events:,}",
                "" if share is None else spread(share).told("{:.0%}"),
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
    outcome.pictures.append(Bars("Receive, validate, buffer", "events/s", bars))
    return outcome
