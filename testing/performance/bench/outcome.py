"""Measurements and their spread, and the results of a path: a table, plots and goals."""

from __future__ import annotations

import operator
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Figures:
    """One measurement; `rss` is the peak in bytes, `bytes` the number of bytes written."""

    events: int
    seconds: float
    cpu: float
    rss: int
    bytes: int = 0

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_a_million(self) -> float:
        """CPU seconds per million events."""
        return self.cpu / self.events * 1e6


class Spread(NamedTuple):
    """The spread of several measurements of one figure."""

    median: float
    least: float
    most: float

    def text(self, form: str) -> str:
        """Return median, least and most in a format; one number if all are formatted alike."""
        middle, least, most = (form.format(value) for value in self)
        return middle if least == most else f"{middle} ({least}-{most})"


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of one or more values."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return ours / theirs for each repeat, so that a temporarily slow machine affects both."""
    return spread(one / other for one, other in zip(ours, theirs, strict=False))


Cells = tuple[str, ...]


class Bar(NamedTuple):
    """A bar of a plot, with its spread."""

    name: str
    value: Spread


class Bars(NamedTuple):
    """A plot of bars in one unit."""

    title: str
    unit: str
    bars: list[Bar]


class Lines(NamedTuple):
    """A plot of lines over a logarithmic axis; points are (x, y)."""

    title: str
    over: str
    unit: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Goal:
    """A goal of the project, reached or missed by the median of the measurements."""

    what: str
    found: Spread
    wanted: float
    form: str = "{:.2f}"
    at_most: bool = False
    """Whether `wanted` is an upper limit."""

    @property
    def reached(self) -> bool:
        """Whether the median is within the limit."""
        holds = operator.le if self.at_most else operator.ge
        return bool(holds(self.found.median, self.wanted))

    def cells(self) -> Cells:
        """Return a table row: goal, wanted, found, verdict."""
        wanted = f"{'≤' if self.at_most else '≥'} {self.form.format(self.wanted)}"
        return (self.what, wanted, self.found.text(self.form), "reached" if self.reached else "missed")


@dataclass
class Outcome:
    """The results of one path: a table, goals, notes and plots."""

    path: int
    title: str
    head: Cells
    """The table's columns; the first holds names."""
    rows: list[Cells] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Conditions that must be known to compare the rows."""
    plots: list[Bars | Lines] = field(default_factory=list)
