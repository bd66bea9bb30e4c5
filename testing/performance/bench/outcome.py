"""What a path found: a table, pictures, and how far each goal of it was reached."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from testing.performance.bench.figures import Spread

Cells = tuple[str, ...]


class Bar(NamedTuple):
    """A bar of a picture, with its spread."""

    name: str
    value: Spread


class Bars(NamedTuple):
    """A picture of bars, in one unit."""

    title: str
    unit: str
    bars: list[Bar]


class Lines(NamedTuple):
    """A picture of lines over a logarithmic axis: points are (x, y)."""

    title: str
    over: str
    unit: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Goal:
    """A goal of the project, and what was found; it is reached by the median."""

    what: str
    found: Spread
    wanted: float
    form: str = "{:.2f}"
    at_most: bool = False
    """Whether the wanted figure is the most that is allowed, not the least."""

    @property
    def reached(self) -> bool:
        """Whether the median is where it should be."""
        holds = operator.le if self.at_most else operator.ge
        return bool(holds(self.found.median, self.wanted))

    def cells(self) -> Cells:
        """Return a table's row: what, wanted, found, verdict."""
        wanted = f"{'≤' if self.at_most else '≥'} {self.form.format(self.wanted)}"
        return (self.what, wanted, self.found.told(self.form), "reached" if self.reached else "missed")


@dataclass
class Outcome:
    """All that a path has to say."""

    path: int
    title: str
    head: Cells
    """The table's columns; the first holds names."""
    rows: list[Cells] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What must be known to read the table fairly."""
    pictures: list[Bars | Lines] = field(default_factory=list)
