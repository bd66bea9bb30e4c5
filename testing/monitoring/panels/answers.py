"""What every panel of a page shows, asked from Prometheus as Grafana asks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.monitoring.metric_checks import without_variables

if TYPE_CHECKING:
    from services.monitoring.dashboards.page import Page, Panel, Query
    from testing.monitoring.prometheus import Labels, Points, Prometheus

POINTS = 300


@dataclass(frozen=True)
class Line:
    """One line of a graph, or the one value of a stat."""

    name: str
    points: Points

    @property
    def last(self) -> float:
        """Its newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Answer:
    """A panel and its lines, with the query that each came from."""

    panel: Panel
    lines: tuple[tuple[Query, tuple[Line, ...]], ...]


def ask(prometheus: Prometheus, page: Page, start: float, end: float) -> list[Answer]:
    """Ask for every panel from `start` to `end`, in Unix seconds."""
    step = max(15.0, (end - start) / POINTS)
    return [
        Answer(panel, tuple((query, _lines(prometheus, query, start, end, step)) for query in panel.queries))
        for panel in page.panels
    ]


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
