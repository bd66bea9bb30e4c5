"""Faults of the network: disturbed connections, and single Redis commands or replies that are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.proxy import HALF_OPEN, Action, Flow, Trap
from testing.proof.chaos.environment import Environment, NotInjectedError, prove, sleep
from testing.proof.chaos.kinds import DISTURBED, TRAPPED, Component, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.proxy import Proxy
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
FLOWS = {"CUT": Flow.CUT, "STALLED": Flow.STALLED, "BYTEWISE": Flow.BYTEWISE}
NETWORK: dict[Kind, tuple[Component, str]] = {
    kind: (component, kind.name.removeprefix(f"{component.name}_")) for kind, component in DISTURBED.items()
}


def disturb(env: Environment, fault: Fault) -> None:
    """Disturb connections that are in use, then let bytes pass again."""
    component, how = NETWORK[fault.kind]
    proxy = env.proxies[component]
    prove(lambda: proxy.live, f"a connection to disturb: {fault.kind}")
    if how == "HALF_OPEN":
        before = proxy.hits[HALF_OPEN]
        proxy.half_open()
        if proxy.hits[HALF_OPEN] == before:
            raise NotInjectedError(f"no connection was open: {fault.kind}")
        return
    _change_flow(proxy, FLOWS[how], fault)


def _change_flow(proxy: Proxy, flow: Flow, fault: Fault) -> None:
    before = proxy.hits[flow]
    proxy.set_flow(flow)
    try:
        prove(lambda: proxy.hits[flow] > before, f"bytes to be disturbed: {fault.kind}")
        sleep(fault.seconds)
    finally:
        proxy.set_flow(Flow.OPEN)


def trap(env: Environment, fault: Fault) -> None:
    """Set a trap and wait until it has sprung; a delayed command arrives after a while."""
    touched, action = TRAPS[fault.kind]
    proxy = env.proxies[TRAPPED[fault.kind]]
    armed = proxy.arm(Trap(touched, fault.nth, action))
    prove(armed.sprung.is_set, f"{fault.kind} ({fault.nth}) to happen")
    sleep(fault.seconds)
    proxy.release()


def lose_rename_reply(env: Environment, _fault: Fault) -> None:
    """Lose the reply to a RENAMENX, and the connection."""
    lost = env.proxies[TRAPPED[Kind.RENAME_REPLY_LOST]].lose_reply(b"RENAMENX")
    prove(lost.sprung.is_set, "a RENAMENX to be answered")


INJECT: dict[Kind, Callable[[Environment, Fault], None]] = {
    **dict.fromkeys(NETWORK, disturb),
    **dict.fromkeys(TRAPS, trap),
    Kind.RENAME_REPLY_LOST: lose_rename_reply,
}
