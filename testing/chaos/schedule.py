"""Pure: who dies when, from a seed."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Victim(StrEnum):
    """A process of the pipeline."""

    WRITER = "writer"
    INGESTER = "ingester"
    REDIS = "redis"


class Death(NamedTuple):
    """One kill to come: `at` seconds after the start."""

    at: float
    victim: Victim


def schedule(seed: int, deaths: Mapping[Victim, int], seconds: float) -> list[Death]:
    """Return all deaths in order: each victim's n fall at random into n equal spans, one in each.

    Spans, so that the same process seldom dies twice before it has done anything.
    """
    dice = random.Random(seed)
    planned = []
    for victim, count in deaths.items():
        span = seconds / max(count, 1)
        planned += [Death((number + dice.random()) * span, victim) for number in range(count)]
    return sorted(planned)
