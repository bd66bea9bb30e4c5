"""The values of every panel of a dashboard, queried from Prometheus as Grafana does, and their text form."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.monitoring.metric_checks import without_variables

if TYPE_CHECKING:
    from services.monitoring.dashboards.page import Page, Panel, Query
    from testing.monitoring.prometheus import Labels, Points, Prometheus

POINTS = 300
THOUSANDS = ("", " k", " M", " G", " T")
BYTES = (" B", " KiB", " MiB", " GiB", " TiB")
RATES = (" B/s", " kB/s", " MB/s", " GB/s", " TB/s")
SPANS = ((31_536_000.0, "year"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))
ENDINGS = {"eps": "/s", "rowsps": "/s", "ops": "/s", "cpm": "/min", "short": "", "none": "", "h": " h"}


@dataclass(frozen=True)
class Line:
    """One line of a graph, or the one value of a stat."""

    name: str
    points: Points

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Answer:
    """A panel and its lines, by query."""

    panel: Panel
    lines: tuple[tuple[Query, tuple[Line, ...]], ...]


def ask(prometheus: Prometheus, page: Page, start: float, end: float) -> list[Answer]:
    """Query every panel from `start` to `end`, in Unix seconds."""
    step = max(15.0, (end - start) / POINTS)
    return [
        Answer(panel, tuple((query, _lines(prometheus, query, start, end, step)) for query in panel.queries))
        for panel in page.panels
    ]


def readable(value: float, unit: str) -> str:
    """Return a value with its unit; raises KeyError for an unknown unit."""
    if math.isnan(value):
        return "NaN"
    if unit == "percentunit":
        return f"{value * 100:.3g} %" if abs(value) < 1 else f"{value * 100:.0f} %"
    if unit == "s":
        return _span(value)
    if unit == "bytes":
        return _scaled(value, 1024, BYTES)
    if unit == "Bps":
        return _scaled(value, 1000, RATES)
    return _scaled(value, 1000, THOUSANDS) + ENDINGS[unit]


def size_of(value: float, unit: str) -> float:
    """Return the size of the unit that `readable` prints the value in: 60 for two minutes in seconds."""
    if unit == "s":
        return next((size for size, _ in SPANS if abs(value) >= size), 1.0)
    if unit == "bytes":
        return 1024.0 ** max(0, int(math.log(abs(value), 1024))) if value else 1.0
    return 1.0


def _lines(prometheus: Prometheus, query: Query, start: float, end: float, step: float) -> tuple[Line, ...]:
    if query.instant:
        return tuple(
            Line(_name(query.legend, labels), [(end, value)])
            for labels, value in prometheus.instant(without_variables(query.expr))
        )
    found = prometheus.over(without_variables(query.expr), start, end, step)
    return tuple(Line(_name(query.legend, labels), points) for labels, points in found)


def _name(legend: str, labels: Labels) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)


def _span(seconds: float) -> str:
    for size, name in SPANS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds * 1000:.2g} ms" if seconds else "0 s"


def _scaled(value: float, base: int, names: tuple[str, ...]) -> str:
    place = 0
    while abs(value) >= base and place < len(names) - 1:
        value /= base
        place += 1
    return f"{value:.3g}{names[place]}"
