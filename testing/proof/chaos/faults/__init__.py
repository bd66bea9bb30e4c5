"""What does each kind of fault: takes the world and the fault, and raises NotFiredError without a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.chaos.faults import crash, kill, network, redis_data, redis_state, stop, traps, upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testing.proof.chaos.kinds import Kind
    from testing.proof.chaos.plan import Fault
    from testing.proof.chaos.world import World

INJECT: Mapping[Kind, Callable[[World, Fault], None]] = {
    **crash.INJECT,
    **kill.INJECT,
    **stop.INJECT,
    **traps.INJECT,
    **network.INJECT,
    **redis_data.INJECT,
    **redis_state.INJECT,
    **upstream.INJECT,
}
"""Every kind; each returns when what it did has healed."""
