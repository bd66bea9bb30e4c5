"""Breadth-first, so that the first harm found is a shortest one; and random walks where that is too much.

A state is remembered by its hash alone, 64 bits: among ten million states two share one with a probability of
a few in a million, and then one of them is not looked at.
"""

from __future__ import annotations

import contextlib
import gc
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testing.proof.model.harm import Harm, at_rest, breach
from testing.proof.model.labels import Fault, Label
from testing.proof.model.steps import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.proof.model.bounds import Model
    from testing.proof.model.state import State

LONGEST_WALK = 400
FAULT_SPREAD = 80
"""A walk without faults takes some forty steps."""
PROGRESS = 20_000


@dataclass(frozen=True)
class Found:
    """What came of an exploration."""

    states: int
    depth: int
    """Steps to the farthest state, or to the harm."""
    ends: int
    """States at rest."""
    harm: Harm = Harm.NONE
    trace: tuple[Label, ...] = ()
    """A shortest way to the harm."""

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults of the trace, in order."""
        return tuple(label.what for label in self.trace if isinstance(label.what, Fault))


def breadth_first(
    model: Model,
    judge: Callable[[State, Model], Harm] = breach,
    told: Callable[[int, int], None] = lambda _states, _depth: None,
    key: Callable[[State], object] = hash,
) -> Found:
    """Look at every state within the bounds, or until one is harmed; `told` hears of states and depth."""
    with _uncollected():
        return _search(model, judge, told, key)


def walk(model: Model, seed: int) -> Found:
    """Take one random way to a state at rest; faults come as often as any other step."""
    dice = random.Random(seed)
    state, trace = model.start, list[Label]()
    while len(trace) < LONGEST_WALK:
        choices = list(steps(state, model))
        if all(isinstance(label.what, Fault) for label, _ in choices):
            return Found(len(trace), len(trace), 1, at_rest(state, model), tuple(trace))
        kinds = {isinstance(label.what, Fault) for label, _ in choices}
        fault = dice.random() < state.faults / FAULT_SPREAD if len(kinds) == 2 else kinds.pop()
        label, state = dice.choice([one for one in choices if isinstance(one[0].what, Fault) == fault])
        trace.append(label)
        wrong = breach(state, model)
        if wrong is not Harm.NONE:
            return Found(len(trace), len(trace), 0, wrong, tuple(trace))
    return Found(len(trace), len(trace), 0, Harm.STUCK, tuple(trace))


def _trace(came: dict[object, tuple[object, Label] | None], last: object) -> tuple[Label, ...]:
    labels = []
    step = came[last]
    while step is not None:
        before, label = step
        labels.append(label)
        step = came[before]
    return tuple(reversed(labels))


def _search(
    model: Model,
    judge: Callable[[State, Model], Harm],
    told: Callable[[int, int], None],
    key: Callable[[State], object],
) -> Found:
    layer, depth, ends = [model.start], 0, 0
    came: dict[object, tuple[object, Label] | None] = {key(model.start): None}
    while layer:
        found: list[State] = []
        for state in layer:
            mine, resting = key(state), True
            for label, after in steps(state, model):
                resting = resting and isinstance(label.what, Fault)
                its = key(after)
                if its in came:
                    continue
                came[its] = (mine, label)
                wrong = judge(after, model)
                if wrong is not Harm.NONE:
                    return Found(len(came), depth + 1, ends, wrong, _trace(came, its))
                found.append(after)
                if len(came) % PROGRESS == 0:
                    told(len(came), depth + 1)
            if resting:
                ends += 1
                wrong = at_rest(state, model)
                if wrong is not Harm.NONE:
                    return Found(len(came), depth, ends, wrong, _trace(came, mine))
        layer = found
        depth += bool(found)
    return Found(len(came), depth, ends)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the search for cycles: there are none, and with millions of tuples it takes half of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
