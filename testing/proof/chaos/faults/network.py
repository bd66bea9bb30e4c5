"""The network between a daemon and Redis, and between the ingester and its host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.proxy import HALF_OPEN, Flow
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import WIRED, Kind, Part
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from testing.harness.proxy import Proxy
    from testing.proof.chaos.plan import Fault

FLOWS = {"CUT": Flow.CUT, "STALLED": Flow.STALLED, "BYTEWISE": Flow.BYTEWISE}
NETWORK: dict[Kind, tuple[Part, str]] = {
    kind: (part, kind.name.removeprefix(f"{part.name}_")) for kind, part in WIRED.items()
}


def disturb(world: World, fault: Fault) -> None:
    """Disturb connections that are in use, and let bytes pass again."""
    part, how = NETWORK[fault.kind]
    proxy = world.proxies[part]
    _wait(lambda: proxy.live, f"a connection to disturb: {fault.kind}")
    if how == "HALF_OPEN":
        before = proxy.hits[HALF_OPEN]
        proxy.half_open()
        if proxy.hits[HALF_OPEN] == before:
            raise NotFiredError(f"no connection was there to be lost: {fault.kind}")
        return
    _change(proxy, FLOWS[how], fault)


def _change(proxy: Proxy, flow: Flow, fault: Fault) -> None:
    before = proxy.hits[flow]
    proxy.set_flow(flow)
    try:
        _wait(lambda: proxy.hits[flow] > before, f"something to be disturbed: {fault.kind}")
        pause(fault.seconds)
    finally:
        proxy.set_flow(Flow.OPEN)


def _wait(condition: object, what: str) -> None:
    assert callable(condition)
    try:
        wait_for(condition, PROVE_SECONDS, what)
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error


INJECT = dict.fromkeys(NETWORK, disturb)
