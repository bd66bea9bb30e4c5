"""One run: start everything, inject the faults, wait for recovery, stop, compare; and many side by side."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
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
from testing.harness.programs import unwind_on_signals
from testing.harness.waiting import wait_for
from testing.proof.chaos.environment import Environment, NotInjectedError, environment, sleep
from testing.proof.chaos.faults import INJECT
from testing.proof.chaos.kinds import START_POINTS, Component, Kind, touches
from testing.proof.chaos.plan import plan as plan_of
from testing.proof.chaos.verdict import Verdict, compare, remaining_keys, unknown_files

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from services.shared.crash_points import CrashPoint
    from testing.harness.daemons import Daemon
    from testing.proof.chaos.plan import Fault, Plan

WORKING_SECONDS = 60.0
FAULT_SECONDS = 120.0
RECOVERY_SECONDS = 300.0
"""The promise: this long after the last fault everything is committed."""
MORE_EVENTS_SECONDS = (0.5, 2.0, 8.0)
"""How long events continue after the last fault; the next value if a host has passed that end already."""
CLOSING_SECONDS = 30.0
COMPACTION_SECONDS = 300.0
LEDGER = "archive_unaccounted_events{"
POLL_SECONDS = 1.0
UNWIND_SECONDS = 60.0


@dataclass
class Outcome:
    """The result of a run."""

    seed: int
    injected: Counter[Kind]
    crashed: Counter[CrashPoint]
    verdict: Verdict | None
    """None if the run ended before the comparison."""
    recovery: float | None
    """Seconds from the end of the last fault until everything was committed, later events included."""
    seconds: float
    problems: list[str] = field(default_factory=list)
    """Faults without effect, wrong exit codes, and what was left behind."""
    compacted: Verdict | None = None
    """After compaction; nothing may be doubled then, whatever the faults were."""

    @property
    def failures(self) -> list[str]:
        """Everything that speaks against the run."""
        return (
            self.problems + (self.verdict.errors if self.verdict else ["not audited"]) + self.after_compaction
        )

    @property
    def after_compaction(self) -> list[str]:
        """Everything that speaks against the compacted archive."""
        if self.compacted is None:
            return ["not compacted"] if self.verdict else []
        doubled = [f"{self.compacted.doubled} doubled"] if self.compacted.doubled else []
        found = {*self.compacted.errors, *doubled}
        return [f"after compaction: {error}" for error in sorted(found)]


def outcomes(seeds: Iterable[int], jobs: int, folder: Path, timeout: float) -> Generator[Outcome, None, None]:
    """Run each seed, `jobs` at a time in their own processes; yields the outcomes as they end.

    Raises RuntimeError when such a process dies. All of them end with the generator.
    """
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    remaining = 0
    for seed in seeds:
        todo.put(seed)
        remaining += 1
    for _ in range(jobs):
        todo.put(None)
    workers: list[BaseProcess] = [
        context.Process(target=_work, args=(todo, done, folder, timeout)) for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        while remaining:
            try:
                yield done.get(timeout=POLL_SECONDS)
                remaining -= 1
            except queue.Empty:
                if any(worker.exitcode for worker in workers):
                    raise RuntimeError("a process that runs seeds has died; see above") from None
    finally:
        if remaining:
            for worker in workers:
                worker.terminate()
        for worker in workers:
            worker.join(UNWIND_SECONDS)
        todo.cancel_join_thread()


def run_seed(seed: int, folder: Path, timeout: float) -> Outcome:
    """Run the plan of a seed; its folder is kept if it failed."""
    shutil.rmtree(folder, ignore_errors=True)
    outcome = run(plan_of(seed), folder, timeout)
    if not outcome.failures:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def run(plan: Plan, folder: Path, timeout: float = RECOVERY_SECONDS) -> Outcome:
    """Run a plan in `folder` and compare the archive with the truth."""
    started = time.monotonic()
    problems: list[str] = []
    recovery, verdict, compacted = None, None, None
    with environment(plan, folder) as env:
        try:
            problems += _start(env)
            problems += _inject_all(env)
            ended = time.monotonic()
            total = _end_traffic(env)
            _wait_recovered(env, total, timeout)
            recovery = time.monotonic() - ended
            problems += _unbalanced(env)
            problems += _close(env)
            verdict = compare(env, total)
            (folder / "audit.txt").write_text(verdict.audit, encoding="utf-8")
            problems += _compact(env, folder)
            compacted = compare(env, total)
            (folder / "audit-compacted.txt").write_text(compacted.audit, encoding="utf-8")
        except (TimeoutError, NotInjectedError, redis.RedisError, OSError) as error:
            problems.append(f"{type(error).__name__}: {error}")
        problems += [
            f"injected {env.injected[kind]} times instead of {count}: {kind}"
            for kind, count in Counter(fault.kind for fault in plan.faults).items()
            if env.injected[kind] != count
        ]
    seconds = time.monotonic() - started
    return Outcome(plan.seed, env.injected, env.crashed, verdict, recovery, seconds, problems, compacted)


def _start(env: Environment) -> list[str]:
    """Start everything and wait for the first push; faults at the start are injected here."""
    problems: list[str] = []
    pipeline = env.pipeline
    starting = [threading.Thread(target=host.start) for host in pipeline.hosts]
    for thread in starting:
        thread.start()
    pipeline.redis.start()
    pipeline.configure()
    pipeline.ingester.start()
    for fault in env.plan.faults:
        if fault.point in START_POINTS:
            _inject(env, fault, problems)
    if not pipeline.writer.is_alive:
        pipeline.writer.start()
    for thread in starting:
        thread.join()
    pipeline.wait_pushed(1, WORKING_SECONDS)
    return problems


def _inject_all(env: Environment) -> list[str]:
    """Inject every fault at its time, side by side where they need different components."""
    problems: list[str] = []
    started = time.monotonic()
    threads = []
    for fault in env.plan.faults:
        if fault.point in START_POINTS:
            continue
        sleep(started + fault.at - time.monotonic())
        threads.append(threading.Thread(target=_inject, args=(env, fault, problems), daemon=True))
        threads[-1].start()
    deadline = time.monotonic() + FAULT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            raise TimeoutError("a fault did not end")
    return problems


def _inject(env: Environment, fault: Fault, problems: list[str]) -> None:
    with contextlib.ExitStack() as held:
        for component in Component:
            if component in touches(fault.kind, fault.point):
                held.enter_context(env.locks[component])
        try:
            INJECT[fault.kind](env, fault)
        except (TimeoutError, NotInjectedError, redis.RedisError, OSError) as error:
            problems.append(f"{fault}: {error}")
        else:
            env.injected[fault.kind] += 1


def _end_traffic(env: Environment) -> int:
    """Let the traffic end soon; returns the total number of events."""
    hosts = env.pipeline.hosts
    a_second = env.plan.rate * float(hosts[0].options.get("speed", "1"))
    for seconds in MORE_EVENTS_SECONDS:
        total = max(int(host.status()["tip"]) for host in hosts) + int(a_second * seconds)
        with contextlib.suppress(RefusedError):
            for host in hosts:
                host.send("end", total=total)
            return total
    raise TimeoutError("the hosts were always past the requested end")


def _wait_recovered(env: Environment, total: int, timeout: float) -> None:
    pipeline = env.pipeline

    def is_recovered() -> bool:
        for daemon in (pipeline.ingester, pipeline.writer):
            if not daemon.is_alive:
                raise NotInjectedError(f"{daemon.module} exited by itself; see {daemon.log}")
        try:
            return _is_read(env, total) and pipeline.waiting() == 0
        except redis.RedisError:
            return False

    try:
        wait_for(is_recovered, timeout, "everything committed")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; cursor {env.cursor()}") from error


def _is_read(env: Environment, total: int) -> bool:
    """Whether all events are pushed: by count, or where counts begin again, by the last committed event."""
    counts = env.pipeline.pushed()
    if not env.plan.loses_data and Kind.LOOK_BACK not in env.plan.kinds:
        return env.pipeline.distinct() >= total and counts.get("rejects:pushed", 0) >= len(env.planted)
    last_us = min(env.traffic(total).seen_us(total - 1, view) for view in env.views)
    return env.committed_us() >= last_us


def _unbalanced(env: Environment) -> list[str]:
    """Check that the ledger closes; not after a loss of data, when it counts the doubled events."""
    if env.plan.loses_data:
        return []

    def unaccounted() -> dict[str, float]:
        metrics = env.pipeline.writer.metrics()
        return {name: value for name, value in metrics.items() if name.startswith(LEDGER)}

    def is_balanced() -> bool:
        values = unaccounted().values()
        return bool(values) and all(value == 0.0 for value in values)

    try:
        wait_for(is_balanced, CLOSING_SECONDS, "the ledger to close")
    except TimeoutError as error:
        return [f"{error}: {unaccounted()}"]
    return []


def _close(env: Environment) -> list[str]:
    """Stop both daemons; returns wrong exit codes, and keys and files left behind."""
    problems = []
    for name, daemon in (("ingester", env.pipeline.ingester), ("writer", env.pipeline.writer)):
        problems += _stop(name, daemon)
    with env.tools() as tools:
        problems += [f"left in Redis: {key}" for key in remaining_keys(tools)]
    problems += [f"left in the archive: {path}" for path in unknown_files(env.pipeline.root)]
    return problems


def _compact(env: Environment, folder: Path) -> list[str]:
    """Compact the whole archive including its last hour; Redis runs and has no claims."""
    compactor = env.pipeline.compactor
    compactor.start("--once", "--close-all")
    try:
        code = compactor.wait(COMPACTION_SECONDS)
    except subprocess.TimeoutExpired as error:
        return [f"compaction is stuck: {error}"]
    parts = list((env.pipeline.root / "raw").rglob("hour=*/*.parquet"))
    whole = [path for path in parts if path.name.startswith("compacted-")]
    left = [f"{len(parts) - len(whole)} of {len(parts)} files are not compacted"] if whole != parts else []
    return left + (
        [f"compaction ended with exit code {code}; see {folder / 'compactor.log'}"] if code else []
    )


def _stop(name: str, daemon: Daemon) -> list[str]:
    # The last fault may have just restarted it: before it listens, a process does not handle SIGTERM.
    daemon.wait_listening(CLOSING_SECONDS)
    daemon.signal(signal.SIGTERM)
    try:
        code = daemon.wait(CLOSING_SECONDS)
    except subprocess.TimeoutExpired as error:
        return [f"the {name} is stuck: {error}"]
    return [] if code == 0 else [f"the {name} ended with exit code {code}; see {daemon.log}"]


def _work(
    todo: multiprocessing.Queue[int | None],
    done: multiprocessing.Queue[Outcome],
    folder: Path,
    timeout: float,
) -> None:
    unwind_on_signals()
    # SIGTERM ends it in the middle of a run.
    with contextlib.suppress(KeyboardInterrupt):
        while (seed := todo.get()) is not None:
            done.put(run_seed(seed, folder / str(seed), timeout))
