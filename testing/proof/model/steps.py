"""Every step from a state: of both daemons, of commands under way, of Redis' disk, and every fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model import faults, ingester, server, writer
from testing.proof.model.labels import Label, Move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model
    from testing.proof.model.state import State


def steps(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    """Yield each label and the state behind it, always in the same order."""
    barred = model.barred
    for label, after in _moves(state, model):
        if label.what not in barred:
            # With `always` Redis has synced what it answers.
            yield label, after._replace(synced=after.redis) if model.rules.always else after
    if state.faults:
        for step in faults.steps(state, model):
            if step[0].what not in barred:
                yield step


def _moves(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    yield from ingester.steps(state, model)
    yield from writer.steps(state, model)
    if state.late:
        yield from server.landings(state, model)
    if state.synced is not state.redis and state.synced != state.redis:
        yield Label(Move.REDIS_SYNCS), state._replace(synced=state.redis)
