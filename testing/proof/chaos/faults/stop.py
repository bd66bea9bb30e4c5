"""SIGSTOP: a process that neither works nor dies, for longer than the others wait for it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psutil

from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import Kind, Part
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from testing.proof.chaos.plan import Fault

VICTIMS: dict[Kind, Part] = {
    Kind.STOP_INGESTER: Part.INGESTER,
    Kind.STOP_WRITER: Part.WRITER,
    Kind.STOP_REDIS: Part.REDIS,
}


def stop(world: World, fault: Fault) -> None:
    """Stop it, see that it stands still, and let it go on."""
    part = VICTIMS[fault.kind]
    process = world.pipeline.redis.process if part is Part.REDIS else world.daemon(part).process
    if process is None or process.poll() is not None:
        raise NotFiredError(f"there is no {part} to stop")
    seen = psutil.Process(process.pid)
    process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: seen.status() == psutil.STATUS_STOPPED, PROVE_SECONDS, f"the {part} to stand still")
        pause(fault.seconds)
    finally:
        process.send_signal(signal.SIGCONT)


INJECT = dict.fromkeys(VICTIMS, stop)
