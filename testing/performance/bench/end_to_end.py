"""Path 3: end to end, the generator included: the highest rate at which no buffer grows."""

from __future__ import annotations

import contextlib
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from statistics import fmean
from typing import TYPE_CHECKING

from testing.events import HostView, Traffic
from testing.harness.waiting import wait_for
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome, spread
from testing.performance.bench.processes import FeedProcess
from testing.performance.bench.receiving import room
from testing.performance.load.figures import behind, bottleneck, grown, peak, second_half, share_of_core
from testing.performance.load.sample import Sampler
from testing.performance.load.target import Processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.performance.bench.run import BenchRun
    from testing.performance.load.sample import Sample


FIRST_US = 1_790_000_000_000_000
RATE = 500.0
"""Events per second of event time, whatever the rate of arrival."""
VIEW = HostView("v2")
"""A v2 host's events: with a v1 host the ingester reads windows again, and this feed does not replay."""
INTERVAL_SECONDS = 5
SAMPLE_SECONDS = 0.5
BEHIND_SECONDS = 1.0
WAITING_SECONDS = 2.0 * INTERVAL_SECONDS
COMMIT_SECONDS = 30.0
BLOCK = 5_000
HEAD = ("process", "CPU s a million events", "share of a core", "peak RSS MB")
PROCESSES = {
    "host": "generator (rendered beforehand)",
    "ingester": "ingester",
    "redis": "Redis",
    "writer": "writer",
}
LEAST_SECONDS, MOST_SECONDS = 6.0, 20.0
LEAST_RATE, FIRST_RATE, MOST_RATE = 500.0, 5_000.0, 80_000.0
EVENTS_A_SECOND = 15_000
"""An attempt lasts `--events` / EVENTS_A_SECOND seconds, within its bounds."""
BISECTIONS = 3
WANTED = 20_000.0
NOTE = (
    f"An attempt holds when, in its second half, the ingester was less than {BEHIND_SECONDS:g} s of events "
    f"behind, and Redis held no more events than two of the writer's intervals bring ({INTERVAL_SECONDS} s "
    "each here). Each starts with a new archive and a new Redis that syncs its log at every write. "
    "Events are generated ones, whatever the source: a file would have too few."
)


def run(bench: BenchRun) -> Outcome:
    """Search the highest rate, then repeat it."""
    seconds = min(MOST_SECONDS, max(LEAST_SECONDS, bench.frames.events / EVENTS_A_SECOND))
    first = min(FIRST_RATE, max(LEAST_RATE, bench.frames.events / 60))
    frames, rendered = bench.folder / "paced.jsonl", 0
    tries: list[Attempt] = []

    def at(rate: float) -> bool:
        nonlocal rendered
        if int(rate * seconds) > rendered:
            render(frames, bench.seed, rendered, int(rate * seconds), bench.cores)
            rendered = int(rate * seconds)
        folder = bench.folder / f"try{len(tries)}"
        folder.mkdir()
        tries.append(attempt(folder, frames, rate, seconds))
        shutil.rmtree(folder)
        word = "held" if tries[-1].held else "did not hold"
        bench.note(f"{rate:,.0f} events/s for {seconds:.0f} s {word}; pushed {tries[-1].pushed_rate:,.0f}/s")
        return tries[-1].held

    best = search(lambda rate: not (tries and bench.is_over) and at(rate), first)
    for _ in range(bench.repeats - 1):
        if best and not bench.is_over:
            at(best)
    return _outcome(tries, best, bench.cores)


def search(holds: Callable[[float], bool], first: float) -> float:
    """Return approximately the highest rate that holds, 0 for none: by doubling, then by bisection."""
    low, high = 0.0, first
    while high <= MOST_RATE and holds(high):
        low, high = high, high * 2
    if high > MOST_RATE:
        return low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _outcome(tries: list[Attempt], best: float, cores: int) -> Outcome:
    outcome = Outcome(3, "End to end", HEAD, notes=[NOTE])
    listed = ", ".join(f"{one.rate:,.0f}/s {'held' if one.held else 'did not hold'}" for one in tries)
    outcome.notes.append(f"Tried in this order: {listed}.")
    again = [one for one in tries if one.rate == best]
    at_best = [one for one in again if one.held]
    outcome.notes.append(f"At {best:,.0f}/s it held {len(at_best)} of {len(again)} times.")
    sustained = spread([one.pushed_rate for one in at_best] or [0.0])
    outcome.goals.append(
        Goal(f"events/s sustained on {cores} cores, generator included", sustained, WANTED, "{:,.0f}")
    )
    shown = at_best or tries[-1:]
    cpu = {name: spread(one.cpu_a_million(name) for one in shown) for name in PROCESSES}
    for name, what in PROCESSES.items():
        share = spread(share_of_core(one.samples, name) for one in shown)
        memory = spread(peak(one.samples, f"rss.{name}") / 1e6 for one in shown)
        row = (what, cpu[name].text("{:.1f}"), share.text("{:.0%}"), memory.text("{:,.0f}"))
        outcome.rows.append(row)
    last = next((one for one in reversed(tries) if not one.held), tries[-1])
    outcome.notes.append(f"At {last.rate:,.0f}/s: {bottleneck(last.samples, cores)}.")
    bars = [Bar(what, cpu[name]) for name, what in PROCESSES.items()]
    outcome.plots.append(Bars("End to end", "CPU seconds a million events", bars))
    return outcome


@dataclass(frozen=True)
class Attempt:
    """The samples of an attempt at `rate` events a second."""

    rate: float
    samples: list[Sample]
    """Samples under load."""
    whole: list[Sample]
    """Samples until everything was committed, or COMMIT_SECONDS passed."""

    @property
    def pushed(self) -> float:
        """Number of events that Redis acknowledged under load."""
        return grown(self.samples, "pushed")

    @property
    def pushed_rate(self) -> float:
        """Events per second that Redis acknowledged."""
        return self.pushed / max(1e-9, self.samples[-1]["at"] - self.samples[0]["at"])

    @property
    def held(self) -> bool:
        """Whether no buffer grew: the ingester was less than a second behind, and the writer kept up.

        Redis holds at most the events of one interval and of the commit that follows.
        """
        late = [events for _, events in second_half(behind(self.samples))]
        if not late or fmean(late) > self.rate * BEHIND_SECONDS:
            return False
        half = self.samples[len(self.samples) // 2 :]
        return peak(half, "waiting") <= self.rate * WAITING_SECONDS

    def cpu_a_million(self, process: str) -> float:
        """Return the CPU seconds of a process per million events."""
        return grown(self.whole, f"cpu_total.{process}") / max(1.0, grown(self.whole, "pushed")) * 1e6


class OnFeed(Processes):
    """The pipeline as processes, reading from a feed."""

    def __init__(self, folder: Path, feed: FeedProcess, events: int) -> None:
        interval = {name: str(INTERVAL_SECONDS) for name in ("WRITER_INTERVAL", "WRITER_MAX_AGE")}
        ingest = {"INGEST_HOSTS": feed.url}
        super().__init__(folder, hosts=[], start_us=FIRST_US - 1_000_000, write=interval, ingest=ingest)
        self.pipeline.redis.maxmemory = room(events)
        self.pipeline.writer.starter = AS_SHIPPED
        self._feed = feed

    @property
    def control(self) -> str:
        """Address where the feed reports the number of events."""
        return self._feed.control

    def pids(self) -> dict[str, int]:
        """Return the running processes by name; `host` is the feed."""
        return {**super().pids(), "host": self._feed.pid}


def attempt(folder: Path, frames: Path, rate: float, seconds: float) -> Attempt:
    """Offer `rate` events a second for some seconds; `frames` must hold enough events."""
    events = int(rate * seconds)
    with (
        FeedProcess(frames, events, rate) as feed,
        OnFeed(folder, feed, events) as target,
        Sampler(target, dict, SAMPLE_SECONDS, lambda _: None) as sampler,
    ):
        feed.wait_connected()
        began = sampler.now()
        feed.go()
        # The load lasts for a fixed time.
        threading.Event().wait(seconds)
        ended = sampler.now()
        # A pipeline that did not keep up may need longer; its CPU is then that of the events it handled.
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: _is_committed(sampler.samples[-1], events), COMMIT_SECONDS, "all committed")
    since = [sample for sample in sampler.samples if sample["at"] >= began]
    return Attempt(rate, [sample for sample in since if sample["at"] <= ended], since)


def _is_committed(sample: Sample, events: int) -> bool:
    return sample.get("pushed") == events and sample.get("waiting") == 0


def render(path: Path, seed: int, first: int, last: int, jobs: int) -> None:
    """Append the events from `first` up to `last` to a file of frames."""
    starts = range(first, last, BLOCK)
    ends = [min(last, start + BLOCK) for start in starts]
    with path.open("ab") as file, ProcessPoolExecutor(jobs) as pool:
        for block in pool.map(_block, repeat(seed), starts, ends):
            file.write(block)


def _block(seed: int, first: int, last: int) -> bytes:
    traffic = Traffic(seed, FIRST_US, RATE)
    return b"".join(traffic.frame(i, VIEW) + b"\n" for i in range(first, last))
