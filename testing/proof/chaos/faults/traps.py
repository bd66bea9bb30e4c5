"""Replies that are swallowed, and commands that arrive late: a proxy waits for the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.proxy import Action, Trap
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import TRAPPED, Kind
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.proof.chaos.plan import Fault

PUSH = b"archive:buffer:"
ACK = b"archive:claim:"
TRAPS: dict[Kind, tuple[bytes, Action]] = {
    Kind.PUSH_REPLY_LOST: (PUSH, Action.LOSE_REPLY),
    Kind.PUSH_LOST: (PUSH, Action.LOSE_COMMAND),
    Kind.PUSH_LATE: (PUSH, Action.DELAY),
    Kind.ACK_REPLY_LOST: (ACK, Action.LOSE_REPLY),
    Kind.ACK_LOST: (ACK, Action.LOSE_COMMAND),
    Kind.ACK_LATE: (ACK, Action.DELAY),
}


def trap(world: World, fault: Fault) -> None:
    """Set a trap and wait until it has sprung; what was held back arrives after a while."""
    touched, action = TRAPS[fault.kind]
    proxy = world.proxies[TRAPPED[fault.kind]]
    armed = proxy.arm(Trap(touched, fault.nth, action))
    try:
        wait_for(armed.sprung.is_set, PROVE_SECONDS, f"{fault.kind} ({fault.nth}) to happen")
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error
    pause(fault.seconds)
    proxy.release()


def rename(world: World, _fault: Fault) -> None:
    """Lose the reply to a RENAMENX, and the connection."""
    lost = world.proxies[TRAPPED[Kind.RENAME_REPLY_LOST]].lose_reply(b"RENAMENX")
    try:
        wait_for(lost.sprung.is_set, PROVE_SECONDS, "a RENAMENX to be answered")
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error


INJECT: dict[Kind, Callable[[World, Fault], None]] = {
    **dict.fromkeys(TRAPS, trap),
    Kind.RENAME_REPLY_LOST: rename,
}
