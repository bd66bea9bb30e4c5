"""Kill -9 at random moments, alone and together; and a second writer, which must be turned away."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from testing.harness.daemons import Daemon
from testing.proof.chaos.kinds import Kind, Part
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen

    from testing.proof.chaos.plan import Fault

VICTIMS: dict[Kind, tuple[Part, ...]] = {
    Kind.KILL_INGESTER: (Part.INGESTER,),
    Kind.KILL_WRITER: (Part.WRITER,),
    Kind.KILL_REDIS: (Part.REDIS,),
    Kind.KILL_DAEMONS: (Part.WRITER, Part.INGESTER),
    Kind.KILL_ALL: (Part.REDIS, Part.WRITER, Part.INGESTER),
}


def kill(world: World, fault: Fault) -> None:
    """Kill them at once, and start them again, together or after a while."""
    victims = VICTIMS[fault.kind]
    processes = [_process(world, victim) for victim in victims]
    for process in processes:
        if process.poll() is not None:
            raise NotFiredError(f"a process was dead before it was killed: {process.args!r}")
        process.send_signal(signal.SIGKILL)
    for process in processes:
        if process.wait(PROVE_SECONDS) != -signal.SIGKILL:
            raise NotFiredError(f"a process died of something else: {process.args!r}")
    pause(fault.seconds)
    if Part.REDIS in victims:
        world.pipeline.redis.start()
    for victim in victims:
        if victim is not Part.REDIS:
            world.restart(victim)


def second_writer(world: World, _fault: Fault) -> None:
    """Start another writer on the same archive: it must refuse, and disturb nobody."""
    first = world.pipeline.writer
    first.wait_listening(PROVE_SECONDS)
    second = Daemon(first.module, first.settings, first.log.with_name("second-writer.log"))
    second.start()
    try:
        code = second.wait(PROVE_SECONDS)
    finally:
        if second.is_alive:
            second.kill()
    if code != 1 or not second.logged("stop.broken"):
        raise NotFiredError(f"the second writer was not turned away; exit code {code}, see {second.log}")


def _process(world: World, victim: Part) -> Popen[bytes]:
    process = world.pipeline.redis.process if victim is Part.REDIS else world.daemon(victim).process
    if process is None:
        raise NotFiredError(f"there is no {victim} to kill")
    return process


INJECT: dict[Kind, Callable[[World, Fault], None]] = {
    **dict.fromkeys(VICTIMS, kill),
    Kind.SECOND_WRITER: second_writer,
}
