"""Kill -9 at a named moment: the daemon is started under arms and dies there by itself.

Some moments come only after something else has happened; that is done first.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from services.shared.crash_points import CrashPoint
from testing.harness.waiting import wait_for
from testing.proof.chaos.faults.redis_data import lose_volume
from testing.proof.chaos.kinds import START, Kind, victim
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.proof.chaos.plan import Fault

HOUR_DIRECTORY = "hour="
FULLNESS = 0.9
"""Share of maxmemory in use at which an ingester pauses before it pushes anything."""
MOST_UNLIKE = 8
"""One less than there are streams: their checkpoints differ if a round dies after so many."""


def crash(world: World, fault: Fault) -> None:
    """Prepare, let the daemon die at the point, heal, and start it again."""
    assert fault.point is not None
    part = victim(fault.point)
    if fault.point not in START:
        if fault.point is CrashPoint.RECOVER_CONFIRMED:
            wait_for(world.is_confirmed, PROVE_SECONDS, "a writer to confirm the cursor")
        world.daemon(part).kill()
        _prepare(world, fault)
    try:
        die(world, fault.point, fault.nth, _keep_up(world, fault.point))
    finally:
        if fault.point is CrashPoint.RECEIVE_PAUSED:
            with world.tools() as tools:
                tools.config_set("maxmemory", world.pipeline.redis.maxmemory)
    world.restart(part, fault.seconds)


def die(world: World, point: CrashPoint, nth: int, keep_up: Callable[[], None] = lambda: None) -> None:
    """Start the daemon, which must be dead, armed with a point; returns when it died there.

    What the point needs is kept up meanwhile.
    """
    daemon = world.daemon(victim(point))
    daemon.starter = ("testing.proof.chaos.armed", point.value, str(nth))
    daemon.start()

    def is_dead() -> bool:
        keep_up()
        return not daemon.is_alive

    try:
        wait_for(is_dead, PROVE_SECONDS, f"{point} ({nth})")
    except TimeoutError as error:
        raise NotFiredError(f"{point} ({nth}) was not reached; see {daemon.log}") from error
    code = daemon.wait()
    if code != -signal.SIGKILL:
        raise NotFiredError(f"{point} ({nth}): ended with exit code {code} instead; see {daemon.log}")
    world.crashed[point] += 1


def _prepare(world: World, fault: Fault) -> None:
    """Bring about what the point needs; the daemon is dead."""
    match fault.point:
        case CrashPoint.RECOVER_CONFIRMED:
            world.restart_redis()
        case CrashPoint.RECOVER_CHECKPOINT_LOWERED:
            nth = 1 + int(fault.share * MOST_UNLIKE)
            die(world, CrashPoint.CHECKPOINT_AFTER_RENAME, nth)
            lose_volume(world, Kind.VOLUME_LOST)
        case CrashPoint.CLAIM_FOUND:
            die(world, CrashPoint.CLAIM_READ, 1)
        case CrashPoint.COMMIT_STALE_PART_REMOVED:
            die(world, CrashPoint.ACK_BEFORE_TRIM, 1 + int(fault.share * 5))
            _misplace(world)
        case _:
            pass


def _keep_up(world: World, point: CrashPoint) -> Callable[[], None]:
    """Return what must be done again and again until the daemon comes to the point."""

    def keep_full() -> None:
        # The writer may have drained Redis since the last time.
        with world.tools() as tools:
            used = int(tools.info("memory")["used_memory"])
            tools.config_set("maxmemory", int(used / FULLNESS))

    return keep_full if point is CrashPoint.RECEIVE_PAUSED else lambda: None


def _misplace(world: World) -> None:
    """Put the part of the chunk that was not acked into another hour, as other code might have."""
    parts = world.pipeline.root.glob("raw/*/year=*/**/*.parquet")
    part = max(parts, key=lambda path: path.stat().st_mtime_ns)
    day, hour = part.parent.parent, int(part.parent.name.removeprefix(HOUR_DIRECTORY))
    elsewhere = day / f"{HOUR_DIRECTORY}{(hour + 12) % 24:02d}"
    elsewhere.mkdir(exist_ok=True)
    part.rename(elsewhere / part.name)


INJECT = {Kind.CRASH_POINT: crash}
