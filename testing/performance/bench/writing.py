"""Path 2: claim, encode, commit. The writer beside bare tools, what people write, and the limit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from testing.harness.pipeline import JETSTREAM, Pipeline
from testing.harness.redis import RedisServer
from testing.harness.waiting import wait_for
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.child import SECONDS, ContestantError
from testing.performance.bench.child import run as run_child
from testing.performance.bench.figures import Figures, ratio, spread
from testing.performance.bench.filling import aside, fill, same
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome
from testing.performance.bench.receiving import room
from testing.performance.bench.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis

    from testing.performance.bench.course import Course
    from testing.performance.bench.frames import Frames

HEAD = ("contestant", "from", "synced", "threads", "rows/s", "CPU s a million", "peak RSS MB", "B an event")
NEVER = "3600"
OURS = "writer"
DUCK = "(a) DuckDB COPY"
DUCK_ALONE = "(a) DuckDB COPY, one thread"
LAZY = "(b) polars scan_ndjson → sink_parquet"
ARROW = "(c) pyarrow.json → pyarrow.parquet, without open JSON"
FRAME = "(d) json.loads → pl.DataFrame → write_parquet"
LIMIT = "limit: read the list, write the finished table"
START_NOTE = (
    "(a), (b) and (c) cannot read Redis: they start from a file a stream, in the page cache, and are spared "
    "the list. None of (a) to (d) syncs, checks that an event can be made again from its row, keeps the rest "
    "of it in `extra`, or may be killed at any moment without loss or repeat."
)
COLUMNS_NOTE = (
    "All write the same columns (`extra` is the writer's alone) with zstd 3. (c) cannot keep open JSON as "
    "text; `embed`, `facets`, `labels` and `record` are left out, so it has less to do than all others."
)
TIME_NOTE = (
    "The writer's time is that of its claims, from taking a list to its last ack, as it logs it: it looks "
    "for full lists once a second. The limit's memory, all finished tables, says nothing."
)


def run(course: Course) -> Outcome:
    """Measure all contestants, and hold the writer against its goals."""
    frames, both = course.frames, str(course.cores)

    def from_file(module: str, *words: str, **settings: str) -> Callable[[Path], Figures]:
        def measure(folder: Path) -> Figures:
            frames.split(folder)
            found = run_child(
                f"testing.performance.bench.writers.{module}", str(folder), *words, settings=settings
            )
            return _whole(found, frames)

        return measure

    def from_list(module: str) -> Callable[[Path], Figures]:
        def measure(folder: Path) -> Figures:
            server = RedisServer(folder / "redis", maxmemory=room(frames.events))
            server.start()
            try:
                fill(server.url("tools"), frames)
                found = run_child(
                    f"testing.performance.bench.writers.{module}", server.url("tools"), str(folder)
                )
                return _whole(found, frames)
            finally:
                server.kill()

        return measure

    runs = course.alternate(
        {
            OURS: lambda folder: by_the_writer(folder, frames),
            DUCK: from_file("duck", both),
            DUCK_ALONE: from_file("duck", "1"),
            LAZY: from_file("lazy", POLARS_MAX_THREADS=both),
            ARROW: from_file("arrow"),
            FRAME: from_list("frame"),
            LIMIT: from_list("limit"),
        },
        lambda figures: f"{figures.rate:,.0f} rows/s",
    )
    return _outcome(runs, both)


def by_the_writer(folder: Path, frames: Frames) -> Figures:
    """Measure the writer from full lists to synced files.

    The lists are put aside until it has started, so that its start is not in the figures; how long it took it
    says itself, for it looks once a second only.
    """
    write = {"WRITER_INTERVAL": NEVER, "WRITER_MAX_AGE": NEVER, "WRITER_MAX_ROWS": "1"}
    pipeline = Pipeline(folder, [], write=write, start_us=frames.start_us)
    pipeline.writer.starter = AS_SHIPPED
    pipeline.redis.maxmemory = room(frames.events)
    pipeline.redis.start()
    try:
        pipeline.configure()
        pipeline.write_once()
        assert fill(pipeline.redis.url("tools"), frames, aside) == frames.events
        pipeline.writer.start()
        pipeline.writer.wait_healthy()
        assert pipeline.writer.process is not None
        with contextlib.closing(pipeline.tools()) as tools, Watched(pipeline.writer.process.pid) as watched:
            _bring(tools)
            # Said after the last ack: a writer that is stopped just then would not say it.
            wait_for(lambda: _rows(pipeline) == frames.events, SECONDS, "every claim told of")
        assert pipeline.writer.stop() == 0
        assert pipeline.waiting() == 0
        done = _done(pipeline)
        seconds, size = (sum(line[name] for line in done) for name in ("seconds", "bytes"))
        return Figures(frames.events, seconds, watched.cpu, watched.rss, size)
    finally:
        pipeline.end()


def _done(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [line for line in pipeline.writer.logged("commit.done") if line["stream"] in JETSTREAM]


def _rows(pipeline: Pipeline) -> int:
    return sum(line["rows"] for line in _done(pipeline))


def _whole(found: Figures, frames: Frames) -> Figures:
    """Refuse figures of a contestant that did not write every event."""
    if found.events != frames.events:
        raise ContestantError(f"it wrote {found.events:,} of {frames.events:,} rows")
    return found


def _bring(tools: redis.Redis) -> None:
    """Give the writer the lists that were put aside, all at once."""
    there = [stream for stream in JETSTREAM if tools.exists(aside(stream))]
    with tools.pipeline() as all_of_them:
        for stream in there:
            all_of_them.rename(aside(stream), same(stream))
        all_of_them.execute()


def _outcome(runs: dict[str, list[Figures]], both: str) -> Outcome:
    told = {
        OURS: ("list", "yes", "1"),
        DUCK: ("file", "no", both),
        DUCK_ALONE: ("file", "no", "1"),
        LAZY: ("file", "no", both),
        ARROW: ("file", "no", both),
        FRAME: ("list", "no", both),
        LIMIT: ("list", "yes", "1"),
    }
    outcome = Outcome(2, "Claim, encode, commit", HEAD, notes=[START_NOTE, COLUMNS_NOTE, TIME_NOTE])
    rates = {name: [figures.rate for figures in found] for name, found in runs.items()}
    memory = {name: spread(figures.rss / 1e6 for figures in found) for name, found in runs.items()}
    for name, found in runs.items():
        outcome.rows.append(
            (
                name,
                *told[name],
                spread(rates[name]).told("{:,.0f}"),
                spread(figures.cpu_a_million for figures in found).told("{:.1f}"),
                "" if name == LIMIT else memory[name].told("{:,.0f}"),
                f"{spread(figures.bytes / figures.events for figures in found).median:.1f}",
            )
        )
    wanted = {DUCK: 1.0, FRAME: 4.0, LIMIT: 0.5}
    outcome.goals += [
        Goal(f"writer / {name}", ratio(rates[OURS], rates[name]), least)
        for name, least in wanted.items()
        if name in runs and OURS in runs
    ]
    bars = {name: Bar(name, spread(found)) for name, found in rates.items()}
    outcome.pictures += [
        Bars("Claim, encode, commit", "rows/s", list(bars.values())),
        Bars("Peak memory", "MB", [Bar(name, value) for name, value in memory.items() if name != LIMIT]),
    ]
    return outcome
