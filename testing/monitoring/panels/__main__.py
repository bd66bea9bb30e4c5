"""Draw a dashboard from a running stack, and print a list of panel, query and value.

First run `docker compose --profile demo up --build --wait`, a few minutes of traffic, then run `make panels`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.monitoring.dashboards.pages import PAGES
from testing.monitoring.panels.answers import Answer, ask, readable
from testing.monitoring.panels.draw import draw
from testing.monitoring.prometheus import Prometheus

UNUSABLE = 2
MOST_VALUES = 4


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.monitoring.panels", description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="address of Prometheus")
    parser.add_argument("--page", choices=[page.name for page in PAGES], default=PAGES[0].name)
    parser.add_argument("--minutes", type=float, default=15.0, help="length of the time range")
    parser.add_argument("--picture", type=Path, default=Path("panels.png"), help="path of the picture")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Write the picture and print the list; return 2 when no Prometheus answers."""
    options = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    (page,) = (page for page in PAGES if page.name == options.page)
    end = time.time()
    try:
        answers = ask(Prometheus(options.prometheus), page, end - options.minutes * 60, end)
    except OSError as error:
        console.print(
            f"No Prometheus answers at {options.prometheus} ({error}); start the stack first: "
            "docker compose --profile demo up --build --wait",
            markup=False,
        )
        return UNUSABLE
    draw(page, answers, options.picture)
    console.print(table(page.title, answers))
    console.print(f"The picture: {options.picture}", markup=False)
    return 0


def table(title: str, answers: list[Answer]) -> Table:
    """Return a table of panel, query and newest values."""
    rendered = Table("panel", "query", "value", title=title)
    for answer in answers:
        for query, lines in answer.lines:
            largest = sorted(lines, key=lambda line: -line.last)
            values = [
                f"{line.name} {readable(line.last, answer.panel.unit)}" for line in largest[:MOST_VALUES]
            ]
            if len(lines) > MOST_VALUES:
                values.append(f"and {len(lines) - MOST_VALUES} more")
            rendered.add_row(answer.panel.title, query.expr, "\n".join(values) or "no data")
    return rendered


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
