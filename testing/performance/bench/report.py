"""The report of a run: Markdown for a README, a self-contained HTML file with plots, and JSON."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from matplotlib import rc_context
from matplotlib.figure import Figure

from testing.performance.bench.outcome import Bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

    from testing.performance.bench.outcome import Cells, Lines, Outcome


TEMPLATE = Path(__file__).with_name("report.html")
GOALS_HEAD = ("goal", "wanted", "found", "verdict")
WIDE, HIGH_BAR, HIGH_LINES = 9.0, 0.38, 3.2
OURS = ("ingester", "writer", "plain", "Parquet zstd")
"""Prefixes of the names of our own contestants."""


def write_report(
    outcomes: Sequence[Outcome], machine: Mapping[str, str], description: str, began: str, folder: Path
) -> Path:
    """Write report.html, report.md and bench.json into `folder`; returns the path of report.html."""
    (folder / "report.md").write_text(markdown(outcomes, machine, description, began), encoding="utf-8")
    everything = {"began": began, "description": description, "machine": dict(machine)}
    results = {**everything, "outcomes": [asdict(outcome) for outcome in outcomes]}
    (folder / "bench.json").write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
    # autoescape: names contain parts of the command line.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **everything,
        outcomes=[(outcome, [draw(plot) for plot in outcome.plots]) for outcome in outcomes],
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def markdown(outcomes: Iterable[Outcome], machine: Mapping[str, str], description: str, began: str) -> str:
    """Return the run in Markdown."""
    lines = [f"{description}; {began}. Median (least-most).", ""]
    lines += [f"- {name}: {what}" for name, what in machine.items()]
    for outcome in outcomes:
        lines += ["", *section(outcome)]
    return "\n".join(lines) + "\n"


def section(outcome: Outcome) -> list[str]:
    """Return the Markdown lines of one path."""
    lines = [f"### {outcome.path}. {outcome.title}", "", *_table(outcome.head, outcome.rows)]
    if outcome.goals:
        lines += ["", *_table(GOALS_HEAD, [goal.cells() for goal in outcome.goals])]
    for note in outcome.notes:
        lines += ["", note]
    return lines


def _table(head: Cells, rows: Iterable[Cells]) -> list[str]:
    return [_line(head), _line(("---", *["--:"] * (len(head) - 1))), *map(_line, rows)]


def _line(cells: Cells) -> str:
    return "| " + " | ".join(cells) + " |"


def draw(plot: Bars | Lines) -> str:
    """Return a plot as an `<svg>` element."""
    # Text instead of outlines: a tenth of the size, and searchable.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench"}):
        high = 0.9 + HIGH_BAR * len(plot.bars) if isinstance(plot, Bars) else HIGH_LINES
        figure = Figure(figsize=(WIDE, high), layout="constrained")
        axes = figure.add_subplot()
        if isinstance(plot, Bars):
            _bars(axes, plot)
        else:
            _lines(axes, plot)
        axes.set_title(plot.title, loc="left", fontsize="medium")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue().partition("<svg")[1] + drawn.getvalue().partition("<svg")[2]


def _bars(axes: Axes, plot: Bars) -> None:
    names = [bar.name for bar in plot.bars]
    medians = [bar.value.median for bar in plot.bars]
    spreads = [
        [bar.value.median - bar.value.least for bar in plot.bars],
        [bar.value.most - bar.value.median for bar in plot.bars],
    ]
    colors = ["C0" if name.startswith(OURS) else "0.7" for name in names]
    axes.barh(names, medians, xerr=spreads, color=colors, error_kw={"linewidth": 1, "capsize": 3})
    axes.invert_yaxis()
    axes.set_xlabel(f"{plot.unit}: median, least and most")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _lines(axes: Axes, plot: Lines) -> None:
    for name, found in plot.lines.items():
        axes.plot([x for x, _ in found], [y for _, y in found], marker="o", label=name, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(plot.over)
    axes.set_ylabel(plot.unit)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize="small", framealpha=0.8)
