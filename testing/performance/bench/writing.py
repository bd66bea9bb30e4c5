"""Path 2: claim, encode, commit. The writer beside DuckDB and a naive script."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from services.buffer.keys import buffer_key
from services.shared.event import JETSTREAM_STREAMS
from testing.harness.pipeline import Pipeline
from testing.harness.redis import RedisServer
from testing.harness.waiting import wait_for
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.child import SECONDS, ContestantError
from testing.performance.bench.child import run as run_child
from testing.performance.bench.frames import fill, hidden_key
from testing.performance.bench.outcome import Bar, Bars, Figures, Goal, Outcome, ratio, spread
from testing.performance.bench.processes import ProcessUsage
from testing.performance.bench.receiving import room

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis

    from testing.performance.bench.frames import Frames
    from testing.performance.bench.run import BenchRun

HEAD = ("contestant", "from", "synced", "threads", "rows/s", "CPU s a million", "peak RSS MB", "B an event")
NEVER = "3600"
OURS = "writer"
DUCK = "(a) DuckDB COPY"
DUCK_ALONE = "(a) DuckDB COPY, one thread"
NAIVE = "(b) json.loads → pl.DataFrame → write_parquet"
START_NOTE = (
    "(a) cannot read Redis: it starts from one file per stream, in the page cache. Neither (a) nor (b) "
    "syncs, checks that an event can be rebuilt from its row, keeps the rest of the event in `extra`, or can "
    "be killed at any moment without loss or repeat."
)
COLUMNS_NOTE = "All write the same columns (only the writer fills `extra`) with zstd 3."
TIME_NOTE = (
    "The writer's time is that of its claims, from taking a list to its last ack, as it logs it: it polls "
    "the lists once a second."
)


def run(bench: BenchRun) -> Outcome:
    """Measure all contestants, and compare the writer with its goals."""
    frames, both = bench.frames, str(bench.cores)

    def duck(threads: str) -> Callable[[Path], Figures]:
        def measure(folder: Path) -> Figures:
            frames.split(folder)
            return _complete(
                run_child("testing.performance.bench.writers.duck", str(folder), threads), frames
            )

        return measure

    def naive(folder: Path) -> Figures:
        server = RedisServer(folder / "redis", maxmemory=room(frames.events))
        server.start()
        try:
            url = server.url("tools")
            fill(url, frames)
            return _complete(run_child("testing.performance.bench.writers.naive", url, str(folder)), frames)
        finally:
            server.kill()

    runs = bench.alternate(
        {
            OURS: lambda folder: by_the_writer(folder, frames),
            DUCK: duck(both),
            DUCK_ALONE: duck("1"),
            NAIVE: naive,
        },
        lambda figures: f"{figures.rate:,.0f} rows/s",
    )
    return _outcome(runs, both)


def by_the_writer(folder: Path, frames: Frames) -> Figures:
    """Measure the writer from full lists to synced files.

    The lists are hidden under other keys until it has started, so that its start is not measured. The seconds
    are those that it logs, because it polls the lists only once a second.
    """
    write = {"WRITER_INTERVAL": NEVER, "WRITER_MAX_AGE": NEVER, "WRITER_MAX_ROWS": "1"}
    pipeline = Pipeline(folder, [], write=write, start_us=frames.start_us)
    pipeline.writer.starter = AS_SHIPPED
    pipeline.redis.maxmemory = room(frames.events)
    pipeline.redis.start()
    try:
        pipeline.configure()
        pipeline.write_once()
        assert fill(pipeline.redis.url("tools"), frames, hidden_key) == frames.events
        pipeline.writer.start()
        pipeline.writer.wait_healthy()
        assert pipeline.writer.process is not None
        with (
            contextlib.closing(pipeline.tools()) as tools,
            ProcessUsage(pipeline.writer.process.pid) as usage,
        ):
            _reveal(tools)
            # Logged after the last ack: a writer that is stopped just then would not log it.
            wait_for(lambda: _rows(pipeline) == frames.events, SECONDS, "every claim logged")
        assert pipeline.writer.stop() == 0
        assert pipeline.waiting() == 0
        done = _done(pipeline)
        seconds, size = (sum(line[name] for line in done) for name in ("seconds", "bytes"))
        return Figures(frames.events, seconds, usage.cpu, usage.rss, size)
    finally:
        pipeline.end()


def _done(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [line for line in pipeline.writer.logged("commit.done") if line["stream"] in JETSTREAM_STREAMS]


def _rows(pipeline: Pipeline) -> int:
    return sum(line["rows"] for line in _done(pipeline))


def _complete(found: Figures, frames: Frames) -> Figures:
    """Return the figures; raise ContestantError if the contestant did not write every event."""
    if found.events != frames.events:
        raise ContestantError(f"it wrote {found.events:,} of {frames.events:,} rows")
    return found


def _reveal(tools: redis.Redis) -> None:
    """Rename all hidden lists to the keys that the writer reads, in one transaction."""
    hidden = [stream for stream in JETSTREAM_STREAMS if tools.exists(hidden_key(stream))]
    with tools.pipeline() as transaction:
        for stream in hidden:
            transaction.rename(hidden_key(stream), buffer_key(stream))
        transaction.execute()


def _outcome(runs: dict[str, list[Figures]], both: str) -> Outcome:
    conditions = {
        OURS: ("list", "yes", "1"),
        DUCK: ("file", "no", both),
        DUCK_ALONE: ("file", "no", "1"),
        NAIVE: ("list", "no", both),
    }
    outcome = Outcome(2, "Claim, encode, commit", HEAD, notes=[START_NOTE, COLUMNS_NOTE, TIME_NOTE])
    rates = {name: [figures.rate for figures in found] for name, found in runs.items()}
    memory = {name: spread(figures.rss / 1e6 for figures in found) for name, found in runs.items()}
    for name, found in runs.items():
        outcome.rows.append(
            (
                name,
                *conditions[name],
                spread(rates[name]).text("{:,.0f}"),
                spread(figures.cpu_a_million for figures in found).text("{:.1f}"),
                memory[name].text("{:,.0f}"),
                f"{spread(figures.bytes / figures.events for figures in found).median:.1f}",
            )
        )
    wanted = {DUCK: 1.0, NAIVE: 4.0}
    outcome.goals += [
        Goal(f"writer / {name}", ratio(rates[OURS], rates[name]), least)
        for name, least in wanted.items()
        if name in runs and OURS in runs
    ]
    bars = {name: Bar(name, spread(found)) for name, found in rates.items()}
    outcome.plots += [
        Bars("Claim, encode, commit", "rows/s", list(bars.values())),
        Bars("Peak memory", "MB", [Bar(name, value) for name, value in memory.items()]),
    ]
    return outcome
