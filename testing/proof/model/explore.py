"""Explores the model breadth-first, so that the first violation has a shortest trace, or by random walks.

Visited states are kept as 64-bit hashes: among ten million states two share a hash with a probability of a
few in a million, and then one of them is not explored.
"""

from __future__ import annotations

import contextlib
import gc
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testing.proof.model.invariants import Violation, violation, violation_at_end
from testing.proof.model.labels import Fault, Label
from testing.proof.model.steps import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.proof.model.rules import Model
    from testing.proof.model.state import State

LONGEST_WALK = 400
FAULT_SPREAD = 80
"""A walk without faults takes about forty steps."""
REPORT_EVERY = 20_000


@dataclass(frozen=True)
class Exploration:
    """The result of an exploration."""

    states: int
    depth: int
    """Steps to the farthest state, or to the violation."""
    ends: int
    """States without further steps."""
    violation: Violation = Violation.NONE
    trace: tuple[Label, ...] = ()
    """A shortest trace to the violation."""

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults of the trace, in order."""
        return tuple(label.what for label in self.trace if isinstance(label.what, Fault))


def breadth_first(
    model: Model,
    check: Callable[[State, Model], Violation] = violation,
    report: Callable[[int, int], None] = lambda _states, _depth: None,
    key: Callable[[State], object] = hash,
) -> Exploration:
    """Explore every state within the bounds, or until a violation; calls `report` with states and depth."""
    with _without_gc():
        return _search(model, check, report, key)


def walk(model: Model, seed: int) -> Exploration:
    """Take one random walk to a state without further steps."""
    rng = random.Random(seed)
    state, trace = model.start, list[Label]()
    while len(trace) < LONGEST_WALK:
        choices = list(steps(state, model))
        if all(isinstance(label.what, Fault) for label, _ in choices):
            return Exploration(len(trace), len(trace), 1, violation_at_end(state, model), tuple(trace))
        kinds = {isinstance(label.what, Fault) for label, _ in choices}
        fault = rng.random() < state.faults / FAULT_SPREAD if len(kinds) == 2 else kinds.pop()
        label, state = rng.choice([one for one in choices if isinstance(one[0].what, Fault) == fault])
        trace.append(label)
        broken = violation(state, model)
        if broken is not Violation.NONE:
            return Exploration(len(trace), len(trace), 0, broken, tuple(trace))
    return Exploration(len(trace), len(trace), 0, Violation.STUCK, tuple(trace))


def _trace(found_from: dict[object, tuple[object, Label] | None], last: object) -> tuple[Label, ...]:
    labels = []
    step = found_from[last]
    while step is not None:
        before, label = step
        labels.append(label)
        step = found_from[before]
    return tuple(reversed(labels))


def _search(
    model: Model,
    check: Callable[[State, Model], Violation],
    report: Callable[[int, int], None],
    key: Callable[[State], object],
) -> Exploration:
    layer, depth, ends = [model.start], 0, 0
    found_from: dict[object, tuple[object, Label] | None] = {key(model.start): None}
    while layer:
        found: list[State] = []
        for state in layer:
            mine, resting = key(state), True
            for label, after in steps(state, model):
                resting = resting and isinstance(label.what, Fault)
                its = key(after)
                if its in found_from:
                    continue
                found_from[its] = (mine, label)
                broken = check(after, model)
                if broken is not Violation.NONE:
                    return Exploration(len(found_from), depth + 1, ends, broken, _trace(found_from, its))
                found.append(after)
                if len(found_from) % REPORT_EVERY == 0:
                    report(len(found_from), depth + 1)
            if resting:
                ends += 1
                broken = violation_at_end(state, model)
                if broken is not Violation.NONE:
                    return Exploration(len(found_from), depth, ends, broken, _trace(found_from, mine))
        layer = found
        depth += bool(found)
    return Exploration(len(found_from), depth, ends)


@contextlib.contextmanager
def _without_gc() -> Iterator[None]:
    """Disable the garbage collector: tuples have no cycles, and it takes half of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
