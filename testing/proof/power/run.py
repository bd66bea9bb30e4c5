"""One seeded run: traffic, three power cuts, and the audit of what is there in the end."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import Audit, audit
from testing.proof.power.cut import PowerSupply
from testing.proof.power.disk import Mode, Taken

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
class Outcome:
    """What came of a run."""

    verdict: Audit
    taken: Taken = field(default_factory=Taken)
    """All that the power cuts took away."""
    moments: Counter[str] = field(default_factory=Counter)
    """The cuts by what went on when the power went."""
    staged: int = 0
    """Files left in staging at the end."""
    gaps: int = 0
    """Rows of `gaps`: one is the archive's start."""


def run(seed: int, folder: Path) -> Outcome:
    """Cut the power in the middle of a sync of Redis, of one of the writer, and anywhere."""
    dice = random.Random(seed)
    host = Host(
        {"rate": str(RATE), "events": str(EVENTS), "seed": str(seed), "kind": dice.choice(("v1", "v2"))}
    )
    pipeline = Pipeline(folder, [host], ingest=SMALL_PUSHES, write=SMALL_CHUNKS)
    supply = PowerSupply(pipeline)
    taken, moments = Taken(), Counter[str]()
    modes = dice.sample(list(Mode), len(Mode))
    try:
        host.start()
        supply.prepare()
        for moment, mode in zip(dice.sample(MOMENTS, len(MOMENTS)), modes, strict=True):
            moment(supply, dice)
            moments[moment.__name__] += 1
            for of_disk in supply.cut(mode, dice).values():
                taken += of_disk
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
    return Outcome(verdict, taken, moments, staged, verdict.uncompared["gaps"])


def in_a_sync_of_redis(supply: PowerSupply, dice: random.Random) -> None:
    """Start, and stop the world when Redis has written to its file and not yet synced it."""
    supply.start(redis=(f"--inject=fdatasync:{KILL}{dice.randrange(20, 80)}",))
    process = supply.pipeline.redis.process
    assert process is not None
    wait_for(lambda: process.poll() is not None, WORKING_SECONDS, "Redis' end in the middle of a sync")


def in_a_sync_of_the_writer(supply: PowerSupply, dice: random.Random) -> None:
    """Start, and stop the world when the writer has written a part, or a directory, and not synced it."""
    supply.start(writer=(f"--inject=fsync:{KILL}{dice.randrange(40, 200)}",))
    wait_for(lambda: not supply.pipeline.writer.is_alive, WORKING_SECONDS, "the writer's end in a sync")


def anywhere(supply: PowerSupply, dice: random.Random) -> None:
    """Start, let Redis rewrite its file now or never, and wait a while."""
    supply.start()
    supply.pipeline.wait_pushed(1, WORKING_SECONDS)
    threading.Event().wait(dice.uniform(0.0, 1.5))
    if dice.random() < 0.5:
        with supply.pipeline.tools() as tools:
            tools.bgrewriteaof()
        threading.Event().wait(dice.uniform(0.0, 0.2))


MOMENTS = (in_a_sync_of_redis, in_a_sync_of_the_writer, anywhere)
