"""The network between a daemon and Redis, and between the ingester and its host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import WIRED, Kind, Part
from testing.proof.chaos.wire import State
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from testing.proof.chaos.plan import Fault
    from testing.proof.chaos.wire import Wire

STATES = {"CUT": State.CUT, "STALLED": State.STALLED, "BYTEWISE": State.BYTEWISE}
NETWORK: dict[Kind, tuple[Part, str]] = {
    kind: (part, kind.name.removeprefix(f"{part.name}_"))
    for kind, part in WIRED.items()
    if kind is not Kind.RENAME_REPLY_LOST
}


def disturb(world: World, fault: Fault) -> None:
    """Disturb a wire that is in use, and heal it."""
    part, how = NETWORK[fault.kind]
    wire = world.wires[part]
    _wait(lambda: wire.live, f"a connection to disturb: {fault.kind}")
    if how == "HALF_OPEN":
        before = wire.hits["half-open"]
        wire.half_open()
        if wire.hits["half-open"] == before:
            raise NotFiredError(f"no connection was there to be lost: {fault.kind}")
        return
    _change(wire, STATES[how], fault)


def _change(wire: Wire, state: State, fault: Fault) -> None:
    before = wire.hits[state]
    wire.be(state)
    try:
        _wait(lambda: wire.hits[state] > before, f"something to be disturbed: {fault.kind}")
        pause(fault.seconds)
    finally:
        wire.be(State.OPEN)


def _wait(condition: object, what: str) -> None:
    assert callable(condition)
    try:
        wait_for(condition, PROVE_SECONDS, what)
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error


INJECT = dict.fromkeys(NETWORK, disturb)
