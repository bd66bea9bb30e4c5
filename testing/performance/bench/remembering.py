"""Path 4: memory of both daemons, however much waits: at a host for the ingester, in Redis for the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psutil

from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.child import SECONDS, ContestantError
from testing.performance.bench.figures import spread
from testing.performance.bench.frames import RATE
from testing.performance.bench.outcome import Goal, Lines, Outcome
from testing.performance.bench.receiving import room
from testing.performance.bench.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.performance.bench.course import Course

HEAD = ("events waiting", "ingester, peak RSS MB", "writer, peak RSS MB")
WRITER_MB, INGESTER_MB = 512.0, 256.0
SHARES = (1 / 3, 1.0, 10 / 3)
LONG_SHARE = 100 / 3
"""Of `--events`: 100,000, 300,000, a million and ten millions by default."""
BYTES_PER_EVENT = 1000
"""About what Redis takes for each."""
SLOWEST = 500.0
"""Events a second at which a run is still waited for."""
NOTE = (
    "The events wait at a v1 host of generated traffic, which replays them as fast as it can to the "
    "ingester; then all of them wait in Redis for the writer, which empties it. The ingester remembers "
    "the identities of the last 65 minutes, at most a million, and so grows up to that."
)


class Peaks(NamedTuple):
    """The most that each daemon had resident, in MB."""

    ingester: float
    writer: float


def run(course: Course) -> Outcome:
    """Measure both daemons at every backlog."""
    shares = (*SHARES, LONG_SHARE) if course.is_long else SHARES
    backlogs = {round(course.frames.events * share) for share in shares}

    def at(events: int) -> Callable[[Path], Peaks]:
        return lambda folder: measure(folder, events, course.seed)

    runs = course.alternate(
        {f"{events:,}": at(events) for events in sorted(backlogs)},
        lambda peaks: f"ingester {peaks.ingester:.0f} MB, writer {peaks.writer:.0f} MB",
    )
    outcome = Outcome(4, "Memory", HEAD, notes=[NOTE])
    ingester = {name: spread(one.ingester for one in found) for name, found in runs.items()}
    writer = {name: spread(one.writer for one in found) for name, found in runs.items()}
    outcome.rows += [(name, ingester[name].told("{:.0f}"), writer[name].told("{:.0f}")) for name in runs]
    for what, of_daemon, most in (("ingester", ingester, INGESTER_MB), ("writer", writer, WRITER_MB)):
        highest = max(of_daemon.values(), default=spread([float("inf")]))
        outcome.goals.append(Goal(f"MB of the {what}, whatever waits", highest, most, "{:.0f}", at_most=True))
    lines = {
        what: [(float(name.replace(",", "")), found.median) for name, found in of_daemon.items()]
        for what, of_daemon in (("ingester", ingester), ("writer", writer))
    }
    outcome.pictures.append(Lines("Memory", "events waiting", "peak RSS, MB", lines))
    return outcome


def measure(folder: Path, events: int, seed: int) -> Peaks:
    """Let so many events wait for either daemon; raises ContestantError where memory does not hold them."""
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
    patience = max(SECONDS, events / SLOWEST)
    try:
        host.start()
        pipeline.redis.start()
        pipeline.configure()
        pipeline.write_once()
        pipeline.ingester.start()
        assert pipeline.ingester.process is not None
        with Watched(pipeline.ingester.process.pid) as ingester:
            pipeline.wait_pushed(events, patience)
        assert pipeline.ingester.stop() == 0
        pipeline.writer.start()
        assert pipeline.writer.process is not None
        with Watched(pipeline.writer.process.pid) as writer:
            pipeline.wait_committed(patience)
        assert pipeline.writer.stop() == 0
    finally:
        pipeline.end()
    return Peaks(ingester.rss / 1e6, writer.rss / 1e6)
