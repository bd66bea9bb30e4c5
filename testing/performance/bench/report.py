"""A run as Markdown for a README, as one self-contained HTML file with pictures, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from testing.performance.bench.plots import draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from testing.performance.bench.outcome import Cells, Outcome

TEMPLATE = Path(__file__).with_name("report.html")
GOALS_HEAD = ("goal", "wanted", "found", "verdict")


def write_report(
    outcomes: Sequence[Outcome], surroundings: Mapping[str, str], told: str, began: str, folder: Path
) -> Path:
    """Write report.html, report.md and bench.json into `folder`; returns the first."""
    (folder / "report.md").write_text(markdown(outcomes, surroundings, told, began), encoding="utf-8")
    everything = {"began": began, "told": told, "surroundings": dict(surroundings)}
    said = {**everything, "outcomes": [asdict(outcome) for outcome in outcomes]}
    (folder / "bench.json").write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    # autoescape: names hold what a command line said.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **everything,
        outcomes=[(outcome, [draw(picture) for picture in outcome.pictures]) for outcome in outcomes],
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def markdown(outcomes: Iterable[Outcome], surroundings: Mapping[str, str], told: str, began: str) -> str:
    """Return the whole run in Markdown."""
    lines = [f"{told}; {began}. Median (least-most).", ""]
    lines += [f"- {name}: {what}" for name, what in surroundings.items()]
    for outcome in outcomes:
        lines += ["", *section(outcome)]
    return "\n".join(lines) + "\n"


def section(outcome: Outcome) -> list[str]:
    """Return the lines of one path."""
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
