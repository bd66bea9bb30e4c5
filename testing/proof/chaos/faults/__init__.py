"""Injects faults: each kind's function returns when the fault is over, or raises NotInjectedError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.chaos.faults import hosts, network, processes, redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testing.proof.chaos.environment import Environment
    from testing.proof.chaos.kinds import Kind
    from testing.proof.chaos.plan import Fault

INJECT: Mapping[Kind, Callable[[Environment, Fault], None]] = {
    **processes.INJECT,
    **network.INJECT,
    **redis_server.INJECT,
    **hosts.INJECT,
}
"""One function for every kind of fault."""
