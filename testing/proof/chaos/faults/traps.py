"""Replies that are swallowed, and commands that arrive late: a proxy waits for the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import TRAPPED, Kind, Part
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause
from testing.proof.mutants.proxy import Act, Trap

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.proof.chaos.plan import Fault

PUSH = b"archive:buffer:"
ACK = b"archive:claim:"
TRAPS: dict[Kind, tuple[bytes, Act]] = {
    Kind.PUSH_REPLY_LOST: (PUSH, Act.LOSE_REPLY),
    Kind.PUSH_LOST: (PUSH, Act.LOSE_EXEC),
    Kind.PUSH_LATE: (PUSH, Act.HOLD),
    Kind.ACK_REPLY_LOST: (ACK, Act.LOSE_REPLY),
    Kind.ACK_LOST: (ACK, Act.LOSE_EXEC),
    Kind.ACK_LATE: (ACK, Act.HOLD),
}


def trap(world: World, fault: Fault) -> None:
    """Set a trap and wait until it has sprung; what was held back arrives after a while."""
    touched, act = TRAPS[fault.kind]
    proxy = world.proxies[TRAPPED[fault.kind]]
    armed = proxy.arm(Trap(touched, fault.nth, act))
    try:
        wait_for(armed.sprung.is_set, PROVE_SECONDS, f"{fault.kind} ({fault.nth}) to happen")
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error
    pause(fault.seconds)
    proxy.release()


def rename(world: World, _fault: Fault) -> None:
    """Swallow the answer to a RENAMENX, and cut the connection."""
    wire = world.wires[Part.WRITER]
    wire.swallow(b"RENAMENX")
    try:
        wait_for(lambda: wire.hits["swallowed"], PROVE_SECONDS, "a RENAMENX to be answered")
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error


INJECT: dict[Kind, Callable[[World, Fault], None]] = {
    **dict.fromkeys(TRAPS, trap),
    Kind.RENAME_REPLY_LOST: rename,
}
