"""Faults of processes: kill -9 at a crash point or at any moment, SIGSTOP, and a second writer."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psutil

from services.shared.crash_points import CrashPoint
from testing.harness.daemons import Daemon
from testing.proof.chaos.environment import Environment, NotInjectedError, prove, sleep
from testing.proof.chaos.faults.redis_server import lose_volume
from testing.proof.chaos.kinds import START_POINTS, Component, Kind, victim

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen

    from testing.proof.chaos.plan import Fault

KILLED: dict[Kind, tuple[Component, ...]] = {
    Kind.KILL_INGESTER: (Component.INGESTER,),
    Kind.KILL_WRITER: (Component.WRITER,),
    Kind.KILL_REDIS: (Component.REDIS,),
    Kind.KILL_DAEMONS: (Component.WRITER, Component.INGESTER),
    Kind.KILL_ALL: (Component.REDIS, Component.WRITER, Component.INGESTER),
}
STOPPED: dict[Kind, Component] = {
    Kind.STOP_INGESTER: Component.INGESTER,
    Kind.STOP_WRITER: Component.WRITER,
    Kind.STOP_REDIS: Component.REDIS,
}
EXIT_SECONDS = 60.0
HOUR_DIRECTORY = "hour="
FULLNESS = 0.9
"""Share of maxmemory in use at which an ingester pauses before it pushes anything."""
MOST_CHECKPOINTS = 8
"""One less than there are streams: checkpoints differ if a round dies after writing at most so many."""


def kill(env: Environment, fault: Fault) -> None:
    """Kill all victims at once, and start them again after a while."""
    victims = KILLED[fault.kind]
    processes = [_process(env, one) for one in victims]
    for process in processes:
        if process.poll() is not None:
            raise NotInjectedError(f"a process was dead before it was killed: {process.args!r}")
        process.send_signal(signal.SIGKILL)
    for process in processes:
        if process.wait(EXIT_SECONDS) != -signal.SIGKILL:
            raise NotInjectedError(f"a process died of another cause: {process.args!r}")
    sleep(fault.seconds)
    if Component.REDIS in victims:
        env.pipeline.redis.start()
    for one in victims:
        if one is not Component.REDIS:
            env.restart(one)


def stop(env: Environment, fault: Fault) -> None:
    """Stop a process with SIGSTOP for a while, longer than the others wait for it."""
    component = STOPPED[fault.kind]
    process = _process(env, component)
    if process.poll() is not None:
        raise NotInjectedError(f"there is no {component} to stop")
    observed = psutil.Process(process.pid)
    process.send_signal(signal.SIGSTOP)
    try:
        prove(lambda: observed.status() == psutil.STATUS_STOPPED, f"the {component} to be stopped")
        sleep(fault.seconds)
    finally:
        process.send_signal(signal.SIGCONT)


def second_writer(env: Environment, _fault: Fault) -> None:
    """Start another writer on the same archive: it must exit and disturb nothing."""
    first = env.pipeline.writer
    first.wait_listening(EXIT_SECONDS)
    second = Daemon(first.module, first.settings, first.log.with_name("second-writer.log"))
    second.start()
    try:
        code = second.wait(EXIT_SECONDS)
    finally:
        if second.is_alive:
            second.kill()
    if code != 1 or not second.logged("stop.broken"):
        raise NotInjectedError(f"the second writer did not refuse; exit code {code}, see {second.log}")


def crash(env: Environment, fault: Fault) -> None:
    """Prepare, let the daemon die at the crash point, undo the preparation, and start it again."""
    assert fault.point is not None
    component = victim(fault.point)
    if fault.point not in START_POINTS:
        if fault.point is CrashPoint.RECOVER_CONFIRMED:
            prove(env.is_confirmed, "a writer to confirm the cursor")
        env.daemon(component).kill()
        _prepare(env, fault)
    try:
        die(env, fault.point, fault.nth, _fill(env) if fault.point is CrashPoint.RECEIVE_PAUSED else None)
    finally:
        if fault.point is CrashPoint.RECEIVE_PAUSED:
            with env.tools() as tools:
                tools.config_set("maxmemory", env.pipeline.redis.maxmemory)
    env.restart(component, fault.seconds)


def die(env: Environment, point: CrashPoint, nth: int, meanwhile: Callable[[], None] | None = None) -> None:
    """Start the daemon, which must be dead, armed with a crash point; returns when it died there.

    `meanwhile` is called again and again until then.
    """
    daemon = env.daemon(victim(point))
    daemon.starter = ("testing.proof.chaos.armed", point.value, str(nth))
    daemon.start()

    def is_dead() -> bool:
        if meanwhile is not None:
            meanwhile()
        return not daemon.is_alive

    prove(is_dead, f"{point} ({nth}); see {daemon.log}")
    code = daemon.wait()
    if code != -signal.SIGKILL:
        raise NotInjectedError(f"{point} ({nth}): ended with exit code {code} instead; see {daemon.log}")
    env.crashed[point] += 1


def _prepare(env: Environment, fault: Fault) -> None:
    """Create the state in which the crash point is reached; the daemon is dead."""
    match fault.point:
        case CrashPoint.RECOVER_CONFIRMED:
            env.restart_redis()
        case CrashPoint.RECOVER_CHECKPOINT_LOWERED:
            nth = 1 + int(fault.fraction * MOST_CHECKPOINTS)
            die(env, CrashPoint.CHECKPOINT_AFTER_RENAME, nth)
            lose_volume(env, Kind.VOLUME_LOST)
        case CrashPoint.CLAIM_FOUND:
            die(env, CrashPoint.CLAIM_READ, 1)
        case CrashPoint.COMMIT_STALE_PART_REMOVED:
            die(env, CrashPoint.ACK_BEFORE_TRIM, 1 + int(fault.fraction * 5))
            _misplace(env)
        case _:
            pass


def _fill(env: Environment) -> Callable[[], None]:
    """Return a function that makes Redis nearly full, whatever the writer has drained since the last call."""

    def fill() -> None:
        with env.tools() as tools:
            used = int(tools.info("memory")["used_memory"])
            tools.config_set("maxmemory", int(used / FULLNESS))

    return fill


def _misplace(env: Environment) -> None:
    """Move the part of the chunk that was not acked into another hour, as a different version might have."""
    parts = env.pipeline.root.glob("raw/*/year=*/**/*.parquet")
    part = max(parts, key=lambda path: path.stat().st_mtime_ns)
    day, hour = part.parent.parent, int(part.parent.name.removeprefix(HOUR_DIRECTORY))
    elsewhere = day / f"{HOUR_DIRECTORY}{(hour + 12) % 24:02d}"
    elsewhere.mkdir(exist_ok=True)
    part.rename(elsewhere / part.name)


def _process(env: Environment, component: Component) -> Popen[bytes]:
    is_redis = component is Component.REDIS
    process = env.pipeline.redis.process if is_redis else env.daemon(component).process
    if process is None:
        raise NotInjectedError(f"there is no {component} process")
    return process


INJECT: dict[Kind, Callable[[Environment, Fault], None]] = {
    **dict.fromkeys(KILLED, kill),
    **dict.fromkeys(STOPPED, stop),
    Kind.SECOND_WRITER: second_writer,
    Kind.CRASH_POINT: crash,
}
