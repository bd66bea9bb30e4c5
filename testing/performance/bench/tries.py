"""One try at a rate: the whole pipeline reads a paced feed, is sampled, and kept up or did not."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from statistics import fmean
from typing import TYPE_CHECKING

from testing.events import HostView, Traffic
from testing.harness.waiting import wait_for
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.fed import Fed
from testing.performance.bench.receiving import room
from testing.performance.load.figures import behind, grown, peak, second_half
from testing.performance.load.sample import Sampler
from testing.performance.load.target import Processes

if TYPE_CHECKING:
    from pathlib import Path

    from testing.performance.load.sample import Sample

FIRST_US = 1_790_000_000_000_000
RATE = 500.0
"""Events a second of event time: the network's, whatever the rate of arrival."""
VIEW = HostView("v2")
"""A v2 host's events: of a v1 host's the ingester would read windows again, and this feed does not replay."""
INTERVAL_SECONDS = 5
SAMPLE_SECONDS = 0.5
BEHIND_SECONDS = 1.0
WAITING_SECONDS = 2.0 * INTERVAL_SECONDS
SETTLE_SECONDS = 30.0
BLOCK = 5_000


@dataclass(frozen=True)
class Try:
    """What a try at `rate` events a second showed."""

    rate: float
    samples: list[Sample]
    """Those under load."""
    whole: list[Sample]
    """Those until all was committed, or for long enough: what waits costs its CPU too."""

    @property
    def pushed(self) -> float:
        """Events that Redis acknowledged meanwhile."""
        return grown(self.samples, "pushed")

    @property
    def pushed_rate(self) -> float:
        """The same a second."""
        return self.pushed / max(1e-9, self.samples[-1]["at"] - self.samples[0]["at"])

    @property
    def held(self) -> bool:
        """Whether all buffers were flat: the ingester less than a second behind, the writer in time.

        What waits in Redis is a saw: at most an interval's events, and those that come while it is committed.
        """
        late = [events for _, events in second_half(behind(self.samples))]
        if not late or fmean(late) > self.rate * BEHIND_SECONDS:
            return False
        half = self.samples[len(self.samples) // 2 :]
        return peak(half, "waiting") <= self.rate * WAITING_SECONDS

    def cpu_a_million(self, process: str) -> float:
        """Return the CPU seconds that a process used for a million events."""
        return grown(self.whole, f"cpu_total.{process}") / max(1.0, grown(self.whole, "pushed")) * 1e6


class OnFeed(Processes):
    """The pipeline as processes, reading from a feed."""

    def __init__(self, folder: Path, feed: Fed, events: int) -> None:
        interval = {name: str(INTERVAL_SECONDS) for name in ("WRITER_INTERVAL", "WRITER_MAX_AGE")}
        ingest = {"INGEST_HOSTS": feed.url}
        super().__init__(folder, hosts=[], start_us=FIRST_US - 1_000_000, write=interval, ingest=ingest)
        self.pipeline.redis.maxmemory = room(events)
        self.pipeline.writer.starter = AS_SHIPPED
        self._feed = feed

    @property
    def control(self) -> str:
        """Address where the feed says how many events exist."""
        return self._feed.control

    def pids(self) -> dict[str, int]:
        """Return the running processes by name; `host` is the feed."""
        return {**super().pids(), "host": self._feed.pid}


def attempt(folder: Path, frames: Path, rate: float, seconds: float) -> Try:
    """Offer so many events a second for so long; `frames` must hold as many."""
    events = int(rate * seconds)
    with (
        Fed(frames, events, rate) as feed,
        OnFeed(folder, feed, events) as target,
        Sampler(target, dict, SAMPLE_SECONDS, lambda _: None) as sampler,
    ):
        feed.wait_connected()
        began = sampler.now()
        feed.go()
        # Sampled meanwhile; nothing is waited for but the time itself.
        threading.Event().wait(seconds)
        ended = sampler.now()
        # A pipeline that did not keep up may take longer; its CPU is then that of what it did.
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: _is_settled(sampler.samples[-1], events), SETTLE_SECONDS, "all committed")
    since = [sample for sample in sampler.samples if sample["at"] >= began]
    return Try(rate, [sample for sample in since if sample["at"] <= ended], since)


def _is_settled(sample: Sample, events: int) -> bool:
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
