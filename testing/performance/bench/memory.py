"""Path 4: memory of both daemons with growing backlogs: at a host (ingester), in Redis (writer)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psutil

from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.child import SECONDS, ContestantError
from testing.performance.bench.frames import RATE
from testing.performance.bench.outcome import Goal, Lines, Outcome, spread
from testing.performance.bench.processes import ProcessUsage
from testing.performance.bench.receiving import room

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.performance.bench.run import BenchRun

HEAD = ("events waiting", "ingester, peak RSS MB", "writer, peak RSS MB")
WRITER_MB, INGESTER_MB = 512.0, 256.0
SHARES = (1 / 3, 1.0, 10 / 3)
LONG_SHARE = 100 / 3
"""Shares of `--events`: 100,000, 300,000, a million and ten million by default."""
BYTES_PER_EVENT = 1000
"""Approximate bytes per event in Redis."""
SLOWEST = 500.0
"""Events per second below which a run times out."""
NOTE = (
    "The events wait at a v1 host of generated traffic, which replays them as fast as it can to the "
    "ingester; then all of them wait in Redis for the writer, which empties it. The ingester keeps "
    "the identities of the last 65 minutes, at most a million, and grows up to that."
)


class Peaks(NamedTuple):
    """Peak of resident memory of each daemon, in MB."""

    ingester: float
    writer: float


def run(bench: BenchRun) -> Outcome:
    """Measure both daemons at every backlog."""
    shares = (*SHARES, LONG_SHARE) if bench.is_long else SHARES
    backlogs = {round(bench.frames.events * share) for share in shares}

    def at(events: int) -> Callable[[Path], Peaks]:
        return lambda folder: measure(folder, events, bench.seed)

    runs = bench.alternate(
        {f"{events:,}": at(events) for events in sorted(backlogs)},
        lambda peaks: f"ingester {peaks.ingester:.0f} MB, writer {peaks.writer:.0f} MB",
    )
    outcome = Outcome(4, "Memory", HEAD, notes=[NOTE])
    ingester = {name: spread(one.ingester for one in found) for name, found in runs.items()}
    writer = {name: spread(one.writer for one in found) for name, found in runs.items()}
    outcome.rows += [(name, ingester[name].text("{:.0f}"), writer[name].text("{:.0f}")) for name in runs]
    for what, of_daemon, most in (("ingester", ingester, INGESTER_MB), ("writer", writer, WRITER_MB)):
        highest = max(of_daemon.values(), default=spread([float("inf")]))
        outcome.goals.append(Goal(f"MB of the {what}, whatever waits", highest, most, "{:.0f}", at_most=True))
    lines = {
        what: [(float(name.replace(",", "")), found.median) for name, found in of_daemon.items()]
        for what, of_daemon in (("ingester", ingester), ("writer", writer))
    }
    outcome.plots.append(Lines("Memory", "events waiting", "peak RSS, MB", lines))
    return outcome


def measure(folder: Path, events: int, seed: int) -> Peaks:
    """Measure both daemons with a backlog; raises ContestantError if it does not fit into memory."""
    if events * BYTES_PER_EVENT > psutil.virtual_memory().available:
        raise ContestantError(f"{events:,} events in Redis do not fit into this machine's memory")
    host = Host(
        {
            "rate": str(RATE),
            "events": str(events),
            "backlog": str(events / RATE + 1),
            "seed": str(seed),
            "look-back": "1e9",
        }
    )
    pipeline = Pipeline(folder, [host])
    pipeline.writer.starter = AS_SHIPPED
    pipeline.redis.maxmemory = room(events)
    timeout = max(SECONDS, events / SLOWEST)
    try:
        host.start()
        pipeline.redis.start()
        pipeline.configure()
        pipeline.write_once()
        pipeline.ingester.start()
        assert pipeline.ingester.process is not None
        with ProcessUsage(pipeline.ingester.process.pid) as ingester:
            pipeline.wait_pushed(events, timeout)
        assert pipeline.ingester.stop() == 0
        pipeline.writer.start()
        assert pipeline.writer.process is not None
        with ProcessUsage(pipeline.writer.process.pid) as writer:
            pipeline.wait_committed(timeout)
        assert pipeline.writer.stop() == 0
    finally:
        pipeline.end()
    return Peaks(ingester.rss / 1e6, writer.rss / 1e6)
