"""One run: start, work, faults, heal, recover, stop, judge."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis

from testing.fakes.jetstream.client import RefusedError
from testing.harness.waiting import wait_for
from testing.proof.chaos.faults import INJECT
from testing.proof.chaos.kinds import START, Kind, Part, touches
from testing.proof.chaos.leftovers import strange_files, strange_keys
from testing.proof.chaos.plan import plan as plan_of
from testing.proof.chaos.verdict import Verdict, judge
from testing.proof.chaos.world import NotFiredError, World, pause, world

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.crash_points import CrashPoint
    from testing.harness.daemons import Daemon
    from testing.proof.chaos.plan import Fault, Plan

WORKING_SECONDS = 60.0
FAULT_SECONDS = 120.0
RECOVERY_SECONDS = 300.0
"""What is promised: so long after the last fault everything is committed."""
AFTERWARDS_SECONDS = (0.5, 2.0, 8.0)
"""Events still come for so long after the last fault; longer where a host cannot be told in time."""
CLOSING_SECONDS = 30.0
COMPACTION_SECONDS = 300.0
LEDGER = "archive_unaccounted_events{"


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    fired: Counter[Kind]
    crashed: Counter[CrashPoint]
    verdict: Verdict | None
    """None where it did not come so far."""
    recovery: float | None
    """Seconds from the end of the last fault until everything was committed, later events included."""
    seconds: float
    trouble: list[str] = field(default_factory=list)
    """What did not happen, did not end well, or was left behind."""
    compacted: Verdict | None = None
    """The same after compaction: nothing may be doubled any more, whatever the faults were."""

    @property
    def wrong(self) -> list[str]:
        """All that speaks against the run."""
        return (
            self.trouble + (self.verdict.faults if self.verdict else ["not audited"]) + self.after_compaction
        )

    @property
    def after_compaction(self) -> list[str]:
        """All that speaks against the archive once it was compacted."""
        if self.compacted is None:
            return ["not compacted"] if self.verdict else []
        doubled = [f"{self.compacted.doubled} doubled"] if self.compacted.doubled else []
        found = {*self.compacted.faults, *doubled}
        return [f"after compaction: {fault}" for fault in sorted(found)]


def run_seed(seed: int, folder: Path, patience: float) -> Outcome:
    """Carry out the run of a seed; its folder stays if it failed."""
    shutil.rmtree(folder, ignore_errors=True)
    outcome = run(plan_of(seed), folder, patience)
    if not outcome.wrong:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def run(plan: Plan, folder: Path, patience: float = RECOVERY_SECONDS) -> Outcome:
    """Carry the plan out in `folder` and judge what is in the archive."""
    began = time.monotonic()
    trouble: list[str] = []
    recovery, verdict, compacted = None, None, None
    with world(plan, folder) as here:
        try:
            trouble += _start(here)
            trouble += _befall(here)
            over = time.monotonic()
            total = _end(here)
            _wait_recovered(here, total, patience)
            recovery = time.monotonic() - over
            trouble += _unbalanced(here)
            trouble += _close(here)
            verdict = judge(here, total)
            (folder / "audit.txt").write_text(verdict.audit, encoding="utf-8")
            trouble += _compact(here, folder)
            compacted = judge(here, total)
            (folder / "audit-compacted.txt").write_text(compacted.audit, encoding="utf-8")
        except (TimeoutError, NotFiredError, redis.RedisError, OSError) as error:
            trouble.append(f"{type(error).__name__}: {error}")
        trouble += [
            f"fired {here.fired[kind]} times instead of {count}: {kind}"
            for kind, count in Counter(fault.kind for fault in plan.faults).items()
            if here.fired[kind] != count
        ]
    seconds = time.monotonic() - began
    return Outcome(plan.seed, here.fired, here.crashed, verdict, recovery, seconds, trouble, compacted)


def _start(here: World) -> list[str]:
    """Start everything, and wait for the first push. A fault at the start happens now."""
    trouble: list[str] = []
    pipeline = here.pipeline
    starting = [threading.Thread(target=host.start) for host in pipeline.hosts]
    for thread in starting:
        thread.start()
    pipeline.redis.start()
    pipeline.configure()
    pipeline.ingester.start()
    for fault in here.plan.faults:
        if fault.point in START:
            _inject(here, fault, trouble)
    if not pipeline.writer.is_alive:
        pipeline.writer.start()
    for thread in starting:
        thread.join()
    pipeline.wait_pushed(1, WORKING_SECONDS)
    return trouble


def _befall(here: World) -> list[str]:
    """Let every fault happen at its moment, side by side where they touch different parts."""
    trouble: list[str] = []
    began = time.monotonic()
    threads = []
    for fault in here.plan.faults:
        if fault.point in START:
            continue
        pause(began + fault.at - time.monotonic())
        threads.append(threading.Thread(target=_inject, args=(here, fault, trouble), daemon=True))
        threads[-1].start()
    deadline = time.monotonic() + FAULT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            raise TimeoutError("a fault did not end")
    return trouble


def _inject(here: World, fault: Fault, trouble: list[str]) -> None:
    with contextlib.ExitStack() as held:
        for part in Part:
            if part in touches(fault.kind, fault.point):
                held.enter_context(here.locks[part])
        try:
            INJECT[fault.kind](here, fault)
        except (TimeoutError, NotFiredError, redis.RedisError, OSError) as error:
            trouble.append(f"{fault}: {error}")
        else:
            here.fired[fault.kind] += 1


def _end(here: World) -> int:
    """Let the network's day end soon; returns how many events it had."""
    hosts = here.pipeline.hosts
    a_second = here.plan.rate * float(hosts[0].options.get("speed", "1"))
    for seconds in AFTERWARDS_SECONDS:
        total = max(int(host.status()["tip"]) for host in hosts) + int(a_second * seconds)
        with contextlib.suppress(RefusedError):
            for host in hosts:
                host.send("end", total=total)
            return total
    raise TimeoutError("the hosts were always further than they were asked to end")


def _wait_recovered(here: World, total: int, patience: float) -> None:
    pipeline = here.pipeline

    def is_recovered() -> bool:
        for daemon in (pipeline.ingester, pipeline.writer):
            if not daemon.is_alive:
                raise NotFiredError(f"{daemon.module} died by itself; see {daemon.log}")
        try:
            return _is_read(here, total) and pipeline.waiting() == 0
        except redis.RedisError:
            return False

    try:
        wait_for(is_recovered, patience, "everything committed")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; cursor {here.cursor()}") from error


def _is_read(here: World, total: int) -> bool:
    """Whether all events were pushed: by count, or where counts begin anew, by the last that is committed."""
    counts = here.pipeline.pushed()
    if not here.plan.loses_data and Kind.LOOK_BACK not in here.plan.kinds:
        return here.pipeline.distinct() >= total and counts.get("rejects:pushed", 0) >= len(here.planted)
    last_us = min(here.traffic(total).seen_us(total - 1, view) for view in here.views)
    return here.committed_us() >= last_us


def _unbalanced(here: World) -> list[str]:
    """Look whether the ledger closes; after a loss of data it counts what is doubled."""
    if here.plan.loses_data:
        return []

    def unaccounted() -> dict[str, float]:
        metrics = here.pipeline.writer.metrics()
        return {name: value for name, value in metrics.items() if name.startswith(LEDGER)}

    def is_balanced() -> bool:
        values = unaccounted().values()
        return bool(values) and all(value == 0.0 for value in values)

    try:
        wait_for(is_balanced, CLOSING_SECONDS, "the ledger to close")
    except TimeoutError as error:
        return [f"{error}: {unaccounted()}"]
    return []


def _close(here: World) -> list[str]:
    """Ask both daemons to stop, and look for what is left behind."""
    trouble = []
    for name, daemon in (("ingester", here.pipeline.ingester), ("writer", here.pipeline.writer)):
        trouble += _stop(name, daemon)
    with here.tools() as tools:
        trouble += [f"left in Redis: {key}" for key in strange_keys(tools)]
    trouble += [f"left in the archive: {path}" for path in strange_files(here.pipeline.root)]
    return trouble


def _compact(here: World, folder: Path) -> list[str]:
    """Compact the whole archive, its last hour too; Redis runs, and says that nothing is claimed."""
    compactor = here.pipeline.compactor
    compactor.start("--once", "--close-all")
    try:
        code = compactor.wait(COMPACTION_SECONDS)
    except subprocess.TimeoutExpired as error:
        return [f"compaction is stuck: {error}"]
    parts = [path for path in here.pipeline.root.rglob("hour=*/*.parquet") if path.parents[4].name[0] != "."]
    whole = [path for path in parts if path.name.startswith("compacted-")]
    left = [f"{len(parts) - len(whole)} of {len(parts)} files are not compacted"] if whole != parts else []
    return left + (
        [f"compaction ended with exit code {code}; see {folder / 'compactor.log'}"] if code else []
    )


def _stop(name: str, daemon: Daemon) -> list[str]:
    # The last fault may have been a moment ago: before it listens, a process knows no SIGTERM yet.
    daemon.wait_listening(CLOSING_SECONDS)
    daemon.signal(signal.SIGTERM)
    try:
        code = daemon.wait(CLOSING_SECONDS)
    except subprocess.TimeoutExpired as error:
        return [f"the {name} is stuck: {error}"]
    return [] if code == 0 else [f"the {name} ended with exit code {code}; see {daemon.log}"]
