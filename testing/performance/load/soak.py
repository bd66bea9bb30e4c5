"""A soak: two days of event time against the whole pipeline, compressed, in real time, or on public hosts.

The scenario is played with readers and pushes beside it; then the result is judged.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from services.jetstream.settings import IngesterSettings
from testing.events import Traffic
from testing.events.rhythm import Rhythm
from testing.harness.host import Host
from testing.harness.programs import INTERRUPTED, unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.harness.truth import traffic_of, truth_of_traffic
from testing.performance.load.__main__ import RUNS, UNUSABLE
from testing.performance.load.plan import RunPlan, Shape, Stage
from testing.performance.load.report import print_findings, progress_printer, write_report
from testing.performance.load.result import Result, doubled, gaps_of, machine, rows_by_hour
from testing.performance.load.run import EVENT_TIMEOUT_SECONDS, LoadError, stop_traffic, wait_committed
from testing.performance.load.sample import Sampler
from testing.performance.load.scenario import HOUR, HOURS, SPIKE_RHYTHM, Hosts, Player, Restarts, Scenario
from testing.performance.load.swarm import Swarm
from testing.performance.load.target import INTERVAL_SECONDS, Processes
from testing.performance.load.verdict import judge, limits_of
from testing.proof.audit import Audit, audit, count_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.daemons import Daemon
    from testing.performance.load.sample import Sample


COMPRESSED_SECONDS = 2400.0
COMPRESSED_RATE = 1_500.0
"""Mean events per wall second, so that a small machine can process and audit two days."""
REAL_RATE = 500.0
LOOK_BACK_HOURS = "240"
"""Compressed event time is days behind the clock; the hosts keep 36 hours of it."""
SECOND_HOST_LATER_US = "150000"
DEDUP_SECONDS = "172800"
"""A second of an ingester's waiting is an hour of compressed event time, by which a replay begins earlier."""
START_SECONDS = 20.0
"""Time between the hosts' start and their first event: at 5,000 times the speed a start takes hours."""
AFTER_SECONDS = 30.0
KEPT_SECONDS = 36 * 3600.0
BURST = 10
REAL_SPEED = 1.0


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.load.soak", description=__doc__)
    parser.add_argument("--realtime", action="store_true", help="take 48 hours, at the network's rate")
    parser.add_argument("--live", action="store_true", help="read the public hosts, for 48 hours")
    parser.add_argument("--hosts", help="--live: these instead of the public ones, comma-separated")
    parser.add_argument("--seconds", type=float, help=f"duration (default {COMPRESSED_SECONDS:g})")
    parser.add_argument("--hours", type=float, default=HOURS, help="end after this many hours of event time")
    parser.add_argument("--rate", type=float, help="mean events per wall second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="folder of all files; default .load/soak-<time>")
    parser.add_argument("--keep", action="store_true", help="keep the archive there too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run; returns 0 if every limit holds, 1 if not, 2 if it cannot start, 130 after Ctrl-C."""
    parsed = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    unwind_on_signals()
    is_real = parsed.realtime or parsed.live
    speed = parsed.hours * HOUR / (parsed.seconds or (parsed.hours * HOUR if is_real else COMPRESSED_SECONDS))
    rate = parsed.rate or (REAL_RATE if is_real else COMPRESSED_RATE)
    scenario = Scenario(speed, parsed.hours)
    hosts = tuple(parsed.hosts.split(",")) if parsed.hosts else ()
    folder = parsed.folder or RUNS / f"soak-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    console.print(
        f"{parsed.hours:g} hours of event time in {scenario.seconds:,.0f} s, {speed:g} times as fast, "
        f"{len(scenario.incidents())} incidents; files: {folder}"
    )
    try:
        find_server()
        result = run_soak(
            Soak(scenario, rate, parsed.seed, parsed.live, hosts),
            folder / "pipeline",
            progress_printer(console, scenario.seconds),
            lambda text: console.print(f"* {text}", markup=False),
        )
    except NoServerError as error:
        console.print(f"The run cannot start: {error}", markup=False)
        return UNUSABLE
    except (LoadError, TimeoutError, AssertionError) as error:
        console.print(f"THE SOAK FAILED: {error}", markup=False, style="bold red")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted: every started process was ended; there is no result.")
        return INTERRUPTED
    findings = judge(result, limits_of(result.shape.name))
    report = write_report(result, findings, folder)
    print_findings(findings, console)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
    if not parsed.keep:
        shutil.rmtree(folder / "pipeline" / "archive", ignore_errors=True)
        shutil.rmtree(folder / "pipeline" / "redis", ignore_errors=True)
    return int(not all(finding.holds for finding in findings))


@dataclass(frozen=True)
class Soak:
    """How the scenario is played."""

    scenario: Scenario
    rate: float
    """Mean events per wall second."""
    seed: int = 1
    is_live: bool = False
    """Whether the public hosts, or `hosts`, are read."""
    hosts: tuple[str, ...] = ()
    """Hosts of a live soak; default: the public ones."""


class Supervisor:
    """Restarts daemons that ended by themselves, as Compose does, and counts that."""

    def __init__(self, target: Processes, environment: Hosts | Restarts) -> None:
        self.restarts = 0
        self._target = target
        self._environment = environment

    def restart_ended(self) -> None:
        """Start the daemons that have ended, unless on purpose."""
        away = isinstance(self._environment, Restarts) and self._environment.is_away
        expected: list[Daemon] = [self._target.writer, *([] if away else [self._target.ingester])]
        for daemon in expected:
            if not daemon.is_alive:
                self.restarts += 1
                daemon.start()


def run_soak(
    soak: Soak, folder: Path, show: Callable[[list[Sample]], None], note: Callable[[str], None]
) -> Result:
    """Play the scenario; the result is not judged here."""
    scenario, machine_info, began = soak.scenario, machine(), time.strftime("%Y-%m-%d %H:%M")
    name = "live" if soak.is_live else "two_days"
    shape = Shape(name, (Stage(scenario.seconds, 0),), soak.rate)
    folder.mkdir(parents=True)
    begins = time.time() + START_SECONDS
    target, environment = _live(soak, folder) if soak.is_live else _ours(soak, folder, begins)
    supervisor = Supervisor(target, environment)
    player = Player(environment, scenario.speed, supervisor.restart_ended)
    note("starting hosts, Redis, writer and ingester")
    with target:
        archive_path, table = str(target.readable_archive), str(folder / "locust")
        plan = RunPlan(
            target.control,
            target.redis_url,
            archive_path,
            shape,
            table,
            EVENT_TIMEOUT_SECONDS,
            is_driven=False,
        )
        swarm = Swarm(folder, plan)
        try:
            with Sampler(target, swarm.pids, max(1.0, scenario.seconds / 3600), show) as sampler:
                swarm.start()
                threading.Event().wait(max(0.0, begins - time.time()))
                start = sampler.now()
                player.play(scenario.incidents(), scenario.seconds)
                loaded = (start, sampler.now())
                swarm.end()
                note("the scenario has ended; waiting for the last commit")
                status = None
                if not soak.is_live:
                    controls = [f"{host.address}/control" for host in target.pipeline.hosts]
                    status = stop_traffic(controls, int(2 * BURST * soak.rate))
                    wait_committed(status, sampler)
        finally:
            swarm.end()
        note("stopping ingester and writer")
        codes = target.stop()
        if soak.is_live:
            target.writer.start("--once")
            target.writer.wait()
    archive = target.archive()
    note("the audit")
    result = Audit({}, {})
    if status is not None:
        # Two hosts with different time_us for an event: everything else is compared.
        result = audit(archive, truth_of_traffic(traffic_of(status)), ignore_host_fields=True)
    return Result(
        shape,
        target.name,
        folder,
        sampler.samples,
        loaded,
        swarm.rows(),
        result,
        0,
        count_rows(archive, "rejects"),
        gaps_of(archive),
        codes,
        machine_info,
        target.settings | {"speed": f"{scenario.speed:g}", "events a second": f"{soak.rate:g}"},
        INTERVAL_SECONDS,
        began,
        [f"{kind}: {count} times" for kind, count in sorted(player.counts.items())],
        restarts=supervisor.restarts,
        hours=rows_by_hour(archive),
        doubled_rows=doubled(archive) if soak.is_live else 0,
        incidents=dict(player.counts),
    )


def _ours(soak: Soak, folder: Path, begins: float) -> tuple[Processes, Hosts]:
    """Return a pipeline with two hosts of the same traffic and compressed event time."""
    scenario = soak.scenario
    is_compressed = scenario.speed != REAL_SPEED
    # Event time stays behind the clock, also during the last commits.
    earlier = is_compressed * (scenario.seconds + AFTER_SECONDS) * scenario.speed
    options = {
        "rate": f"{soak.rate / scenario.speed:.3f}",
        "seed": str(soak.seed),
        "speed": str(scenario.speed),
        "rhythm": SPIKE_RHYTHM,
        # As much as the real hosts keep, but at least a minute of the ingester's waiting.
        "look-back": str(max(KEPT_SECONDS, 60 * scenario.speed)),
        "started": str(begins),
        "first-us": str(int((begins - earlier) * 1_000_000)),
    }
    # The archive starts with the first event: at this speed a second before it would be a gap.
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
