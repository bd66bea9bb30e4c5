"""A seeded run: traffic, three power cuts of Redis and the writer, and an audit of the archive.

The fake hosts keep running.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import Audit, audit
from testing.proof.power.disk import Directory, Discarded, Mode, scanned, write_survivors
from testing.proof.power.replay import Replay
from testing.proof.power.strace import find_tracer, read_calls, tracing, wait_whole

if TYPE_CHECKING:
    from pathlib import Path

RATE = 1500
EVENTS = 18_000
WORKING_SECONDS = 30.0
CATCH_UP_SECONDS = 90.0
SMALL_CHUNKS = {"WRITER_INTERVAL": "0.5", "WRITER_MAX_AGE": "0.5", "WRITER_CHUNK": "150"}
SMALL_PUSHES = {"INGEST_PUSH_EVENTS": "100"}
KILL = "signal=SIGKILL:when="


@dataclass
class PowerSupply:
    """Traces Redis and the writer of a pipeline from their start, and cuts their power."""

    pipeline: Pipeline
    tracer: str = field(default_factory=find_tracer)
    _disks: dict[Path, Directory] = field(default_factory=dict)

    def prepare(self) -> None:
        """Configure the daemons, and let Redis create its files.

        Redis never syncs the folder in which it creates `appendonlydir`. By POSIX alone a power cut may
        discard a new volume; journals of real filesystems write the folder with the first sync.
        """
        self._traces()
        self.pipeline.redis.start()
        self.pipeline.redis.stop()
        self.pipeline.configure()

    def start(self, *, redis: tuple[str, ...] = (), writer: tuple[str, ...] = ()) -> None:
        """Start Redis, the writer and the ingester; the words are further options of strace."""
        pipeline = self.pipeline
        self._disks = {folder: scanned(folder) for folder in self._traces()}
        for trace in self._traces().values():
            trace.unlink(missing_ok=True)
        archive, data = self._traces().values()
        pipeline.redis.under = (*tracing(self.tracer, data), *redis)
        pipeline.writer.under = (*tracing(self.tracer, archive), *writer)
        pipeline.redis.start()
        pipeline.writer.start()
        pipeline.ingester.start()

    def cut(self, mode: Mode, rng: random.Random) -> dict[str, Discarded]:
        """Kill everything and apply a power cut to Redis' data and the archive; returns what was discarded.

        Nothing runs afterwards; `start` starts everything again.
        """
        pipeline = self.pipeline
        for process in (pipeline.redis.process, pipeline.writer.process, pipeline.ingester.process):
            assert process is not None
            with contextlib.suppress(ProcessLookupError):
                # The whole process group: Redis may have a child that rewrites the append-only file.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        pipeline.redis.process = None
        discarded = {}
        for folder, trace in self._traces().items():
            wait_whole(trace)
            disk = self._disks[folder]
            Replay(folder, disk).play(read_calls(trace))
            shutil.rmtree(folder)
            folder.mkdir()
            discarded[folder.name] = write_survivors(disk, folder, mode, rng)
        return discarded

    def _traces(self) -> dict[Path, Path]:
        """Return the folders that stand for disks, and the trace of each."""
        folder = self.pipeline.folder.resolve()
        disks = {
            self.pipeline.root: folder / "writer.trace",
            folder / "redis" / "data": folder / "redis.trace",
        }
        for disk in disks:
            disk.mkdir(parents=True, exist_ok=True)
        return disks


@dataclass
class Outcome:
    """The result of a run."""

    verdict: Audit
    discarded: Discarded = field(default_factory=Discarded)
    """Everything that the power cuts discarded."""
    moments: Counter[str] = field(default_factory=Counter)
    """The cuts by the moment at which the power went."""
    staged: int = 0
    """Files left in staging at the end."""
    gaps: int = 0
    """Rows of `gaps`; one is the archive start."""


def run(seed: int, folder: Path) -> Outcome:
    """Cut the power during a sync of Redis, during one of the writer, and at a random time."""
    rng = random.Random(seed)
    host = Host(
        {"rate": str(RATE), "events": str(EVENTS), "seed": str(seed), "kind": rng.choice(("v1", "v2"))}
    )
    pipeline = Pipeline(folder, [host], ingest=SMALL_PUSHES, write=SMALL_CHUNKS)
    supply = PowerSupply(pipeline)
    discarded, moments = Discarded(), Counter[str]()
    modes = rng.sample(list(Mode), len(Mode))
    try:
        host.start()
        supply.prepare()
        for moment, mode in zip(rng.sample(MOMENTS, len(MOMENTS)), modes, strict=True):
            moment(supply, rng)
            moments[moment.__name__] += 1
            for of_disk in supply.cut(mode, rng).values():
                discarded += of_disk
        supply.start()
        pipeline.wait_pushed(EVENTS, CATCH_UP_SECONDS)
        pipeline.wait_committed(CATCH_UP_SECONDS)
        for daemon in (pipeline.ingester, pipeline.writer):
            daemon.wait_listening()
            assert daemon.stop() == 0, f"see {daemon.log}"
    finally:
        pipeline.end()
    verdict = audit(pipeline.root, truth_of(host))
    staged = sum(path.is_file() for path in (pipeline.root / ".state/staging").rglob("*"))
    return Outcome(verdict, discarded, moments, staged, verdict.uncompared["gaps"])


def during_a_sync_of_redis(supply: PowerSupply, rng: random.Random) -> None:
    """Start, and wait until Redis is killed between a write to its file and the sync."""
    supply.start(redis=(f"--inject=fdatasync:{KILL}{rng.randrange(20, 80)}",))
    process = supply.pipeline.redis.process
    assert process is not None
    wait_for(lambda: process.poll() is not None, WORKING_SECONDS, "Redis to be killed in a sync")


def during_a_sync_of_the_writer(supply: PowerSupply, rng: random.Random) -> None:
    """Start, and wait until the writer is killed between a write or rename and the sync."""
    supply.start(writer=(f"--inject=fsync:{KILL}{rng.randrange(40, 200)}",))
    wait_for(
        lambda: not supply.pipeline.writer.is_alive, WORKING_SECONDS, "the writer to be killed in a sync"
    )


def at_a_random_time(supply: PowerSupply, rng: random.Random) -> None:
    """Start, wait for a random time, and sometimes let Redis rewrite its append-only file."""
    supply.start()
    supply.pipeline.wait_pushed(1, WORKING_SECONDS)
    threading.Event().wait(rng.uniform(0.0, 1.5))
    if rng.random() < 0.5:
        with supply.pipeline.tools() as tools:
            tools.bgrewriteaof()
        threading.Event().wait(rng.uniform(0.0, 0.2))


MOMENTS = (during_a_sync_of_redis, during_a_sync_of_the_writer, at_a_random_time)
