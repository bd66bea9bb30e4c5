"""One soak: the scenario played against the pipeline, with readers and pushes beside it, then judged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.jetstream.settings import IngesterSettings
from testing.events import Traffic
from testing.events.rhythm import Rhythm
from testing.harness.host import Host
from testing.harness.truth import traffic_of, truth_of_traffic
from testing.performance.load.coverage import doubled, rows_by_hour
from testing.performance.load.machine import machine
from testing.performance.load.place import Place
from testing.performance.load.plan import Shape, Stage
from testing.performance.load.player import Hosts, Player, Restarts
from testing.performance.load.result import Result
from testing.performance.load.run import gaps_of, hush, settle
from testing.performance.load.sample import Sampler
from testing.performance.load.scenario import SPIKE_RHYTHM, Scenario
from testing.performance.load.swarm import Swarm
from testing.performance.load.target import INTERVAL_SECONDS, Processes
from testing.proof.audit import Audit, audit
from testing.proof.audit.rebuild import count_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.daemons import Daemon
    from testing.performance.load.sample import Sample

PATIENCE_SECONDS = 60.0
LOOK_BACK_HOURS = "240"
"""Compressed event time lies days behind the clock; the hosts themselves keep 36 hours of it."""
SECOND_HOST_LATER_US = "150000"
DEDUP_SECONDS = "172800"
"""An ingester's second of waiting is an hour of compressed event time: so far back a replay may begin."""
START_SECONDS = 20.0
"""The hosts' day begins so long after they were started: at 5,000 times the speed, a start takes hours."""
AFTER_SECONDS = 30.0
KEPT_SECONDS = 36 * 3600.0
BURST = 10
REAL_SPEED = 1.0


@dataclass(frozen=True)
class Soak:
    """How to play the scenario."""

    scenario: Scenario
    rate: float
    """Events a wall second, on average."""
    seed: int = 1
    is_live: bool = False
    """Against hosts that are not ours."""
    hosts: tuple[str, ...] = ()
    """Those hosts; default: the public ones."""


class Care:
    """Starts daemons again that ended by themselves, as Compose does, and counts that."""

    def __init__(self, target: Processes, actor: Hosts | Restarts) -> None:
        self.restarts = 0
        self._target = target
        self._actor = actor

    def look(self) -> None:
        """Look after both daemons."""
        away = isinstance(self._actor, Restarts) and self._actor.is_away
        watched: list[Daemon] = [self._target.writer, *([] if away else [self._target.ingester])]
        for daemon in watched:
            if not daemon.is_alive:
                self.restarts += 1
                daemon.start()


def endure(
    soak: Soak, folder: Path, tell: Callable[[list[Sample]], None], say: Callable[[str], None]
) -> Result:
    """Play the scenario and judge nothing. Bounded by the scenario's length."""
    scenario, surroundings, began = soak.scenario, machine(), time.strftime("%Y-%m-%d %H:%M")
    name = "live" if soak.is_live else "two_days"
    shape = Shape(name, (Stage(scenario.seconds, 0),), soak.rate)
    folder.mkdir(parents=True)
    begins = time.time() + START_SECONDS
    target, actor = _live(soak, folder) if soak.is_live else _ours(soak, folder, begins)
    care = Care(target, actor)
    player = Player(actor, scenario.speed, care.look)
    say("starting hosts, Redis, writer and ingester")
    with target:
        fresh, table = str(target.fresh), str(folder / "locust")
        place = Place(
            target.control, target.redis_url, fresh, shape, table, PATIENCE_SECONDS, is_driven=False
        )
        swarm = Swarm(folder, place)
        try:
            with Sampler(target, swarm.pids, max(1.0, scenario.seconds / 3600), tell) as sampler:
                swarm.start()
                threading.Event().wait(max(0.0, begins - time.time()))
                start = sampler.now()
                player.play(scenario.acts(), scenario.seconds)
                loaded = (start, sampler.now())
                swarm.end()
                say("the scenario is over; waiting until all of it is committed")
                status = None
                if not soak.is_live:
                    controls = [f"{host.address}/control" for host in target.pipeline.hosts]
                    status = hush(controls, int(2 * BURST * soak.rate))
                    settle(status, sampler)
        finally:
            swarm.end()
        say("stopping ingester and writer in order")
        codes = target.stop()
        if soak.is_live:
            target.writer.start("--once")
            target.writer.wait()
    archive = target.archive()
    say("the audit")
    known = Audit({}, {})
    if status is not None:
        # Two hosts, each with its own time_us for an event: the rest of it is compared.
        known = audit(archive, truth_of_traffic(traffic_of(status)), ignore_host_fields=True)
    return Result(
        shape,
        target.name,
        folder,
        sampler.samples,
        loaded,
        swarm.rows(),
        known,
        0,
        count_rows(archive, "rejects"),
        gaps_of(archive),
        codes,
        surroundings,
        target.settings | {"speed": f"{scenario.speed:g}", "events a second": f"{soak.rate:g}"},
        INTERVAL_SECONDS,
        began,
        [f"{kind}: {count} times" for kind, count in sorted(player.played.items())],
        restarts=care.restarts,
        hours=rows_by_hour(archive),
        doubled_rows=doubled(archive) if soak.is_live else 0,
        acts=dict(player.played),
    )


def _ours(soak: Soak, folder: Path, begins: float) -> tuple[Processes, Hosts]:
    """Return a pipeline with two hosts of the same traffic, whose clock is compressed."""
    scenario = soak.scenario
    is_compressed = scenario.speed != REAL_SPEED
    # Event time stays behind the clock, also while what is left is committed.
    earlier = is_compressed * (scenario.seconds + AFTER_SECONDS) * scenario.speed
    options = {
        "rate": f"{soak.rate / scenario.speed:.3f}",
        "seed": str(soak.seed),
        "speed": str(scenario.speed),
        "rhythm": SPIKE_RHYTHM,
        # What they keep: as much as the real ones, but never less than a minute of the ingester's waiting.
        "look-back": str(max(KEPT_SECONDS, 60 * scenario.speed)),
        "started": str(begins),
        "first-us": str(int((begins - earlier) * 1_000_000)),
    }
    # With the first event, not before: at this speed a second before it is no silence but a hole.
    rhythm, rate, first_us = Rhythm.parse(SPIKE_RHYTHM), float(options["rate"]), int(options["first-us"])
    start_us = Traffic(soak.seed, first_us, rate, None, rhythm).time_us(0)
    hosts = [Host(options), Host({**options, "offset-us": SECOND_HOST_LATER_US})]
    common = {"ARCHIVE_LOOK_BACK_HOURS": LOOK_BACK_HOURS} if is_compressed else {}
    ingest = {"INGEST_DEDUP_SECONDS": DEDUP_SECONDS} if is_compressed else {}
    return Processes(folder, hosts=hosts, common=common, ingest=ingest, start_us=start_us), Hosts(hosts)


def _live(soak: Soak, folder: Path) -> tuple[Processes, Restarts]:
    hosts = soak.hosts or IngesterSettings.model_fields["ingest_hosts"].default
    target = Processes(folder, hosts=[], ingest={"INGEST_HOSTS": ",".join(hosts)})
    return target, Restarts(target.pipeline, list(hosts))
