"""What a power cut does to a pipeline: the harm that no kill of a process can do."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from testing.harness.waiting import wait_for
from testing.proof.mutants.world import END_SECONDS, world
from testing.proof.power.cut import PowerSupply
from testing.proof.power.disk import Mode

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.audit import Audit

REDIS_CONF = "services/redis/redis.conf"
CUTS = 2


def power_cut_after_commits(tree: Path, folder: Path) -> Audit:
    """Cut the power right after a round has committed parts and Redis has forgotten their events."""
    with world(tree, folder, seconds=10.0, backlog=0.0) as here:
        pipeline = here.pipeline
        pipeline.hosts[0].start()
        # Without the proxies: what they would still pass on is no part of the machine whose power goes.
        pipeline.ingest["REDIS_URL"] = pipeline.redis.url("ingester")
        pipeline.write["REDIS_URL"] = pipeline.redis.url("writer")
        pipeline.redis.settings["appendfsync"] = _appendfsync(tree)
        supply = PowerSupply(pipeline)
        supply.prepare()
        for _ in range(CUTS):
            committed = len(pipeline.writer.logged("commit.done"))
            supply.start()
            wait_for(
                lambda: len(pipeline.writer.logged("commit.done")) > committed + 5,  # noqa: B023 - now
                END_SECONDS,
                "a round of commits",
            )
            supply.cut(Mode.NOTHING, random.Random(1))
        supply.start()
        return here.finish()


def _appendfsync(tree: Path) -> str:
    (said,) = re.findall(r"(?m)^appendfsync (\w+)$", (tree / REDIS_CONF).read_text(encoding="utf-8"))
    return str(said)
