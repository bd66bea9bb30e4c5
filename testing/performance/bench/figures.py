"""What one measurement gives, and how several of it are told: median, least and most."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Figures:
    """One measurement of `events` events; `rss` is the peak in bytes, `bytes` what was written."""

    events: int
    seconds: float
    cpu: float
    rss: int
    bytes: int = 0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_a_million(self) -> float:
        """CPU seconds a million events."""
        return self.cpu / self.events * 1e6


class Spread(NamedTuple):
    """Several measurements of one figure."""

    median: float
    least: float
    most: float

    def told(self, form: str) -> str:
        """Return it in words, each number in this form; one number where they are told alike."""
        middle, least, most = (form.format(value) for value in self)
        return middle if least == most else f"{middle} ({least}-{most})"


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of one or more values."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return ours / theirs, repeat by repeat: what slowed the machine for a while slowed both."""
    return spread(one / other for one, other in zip(ours, theirs, strict=False))
