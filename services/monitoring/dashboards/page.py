"""The parts of a dashboard: rows of panels with their queries to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

Kind = Literal["stat", "graph", "table"]
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
GRAPH_HEIGHT = 6
STAT_HEIGHT = 4
WIDTH = 24


@dataclass(frozen=True)
class Query:
    """A PromQL expression; `legend` names its lines, with `{{label}}` for the value of a label."""

    expr: str
    legend: str
    instant: bool = False
    """Evaluated only at the end of the time range: for windows of many hours."""


@dataclass(frozen=True)
class Panel:
    """One panel. `steps` are thresholds: the colour from a value on; the first has no value."""

    title: str
    description: str
    unit: str
    """Grafana's name of a unit: s, bytes, Bps, percentunit, eps, short ..."""
    queries: tuple[Query, ...]
    kind: Kind = "graph"
    width: int = 6
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    words: tuple[tuple[float, str, str], ...] = ()
    """Values that are shown as a word: value, word, colour."""
    decimals: int | None = None
    stacked: bool = False
    at_least: float | None = 0.0
    """Highest start of the axis."""
    at_most: float | None = None
    flows: bool = False
    """Whether it shows a rate of events or bytes, which doubles when the traffic does."""
    alert: str | None = None
    """The alert on the same metric; the panel links to its chapter in the runbook."""

    @property
    def height(self) -> int:
        """Height in Grafana's grid."""
        return STAT_HEIGHT if self.kind == "stat" else GRAPH_HEIGHT


stat = partial(Panel, kind="stat", width=4)
"""A panel with one value, coloured by its steps."""


@dataclass(frozen=True)
class Row:
    """A line of panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Page:
    """One dashboard; `name` is that of its file, and its address ends with `archive-<name>`."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel, from the top left to the bottom right."""
        return tuple(panel for row in self.rows for panel in row.panels)


def per_second(counter: str, by: str = "") -> str:
    """Return the expression of a counter's rate, summed, by label if one is named."""
    return f"sum {f'by ({by}) ' if by else ''}(rate({counter}[$__rate_interval]))"


def quantiles(histogram: str) -> tuple[Query, ...]:
    """Return queries of the median, the 95th and the 99th percentile of a histogram."""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))", legend
        )
        for share, legend in ((0.5, "median"), (0.95, "95th percentile"), (0.99, "99th percentile"))
    )


REDIS_CPU = f"{per_second('redis_cpu_user_seconds_total')} + {per_second('redis_cpu_sys_seconds_total')}"
