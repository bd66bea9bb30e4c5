"""The coverage calendar as a self-contained HTML page with SVG, or as a PNG with matplotlib."""

from __future__ import annotations

import importlib
from html import escape
from typing import TYPE_CHECKING, Any

from services.archive.paths import hour_start, hour_text
from services.shared.errors import BadInput
from services.tools.query.coverage import CELL_STYLES, HOURS_A_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from services.tools.query.coverage import Cell, Day

_CELL = 16
_STEP = 18
_LEFT = 92
_TOP = 22
_STYLE = """
body{font:14px system-ui,sans-serif;margin:2em;color:#1f2933;background:#fff}
h2{margin:1.5em 0 .3em;font-size:16px} text{font:11px system-ui,sans-serif;fill:#52606d}
.key{display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 1.2em;border-radius:2px}
"""


def page(calendars: Mapping[str, Sequence[Day]], title: str) -> str:
    """Return an HTML page of calendars by name. Pure."""
    key = "".join(
        f'<span class="key" style="background:{look.colour}"></span>{escape(look.meaning)}'
        for look in CELL_STYLES.values()
    )
    body = "".join(f"<h2>{escape(name)}</h2>{drawing(days)}" for name, days in calendars.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><p>{key}</p>{body}</body></html>\n"
    )


def drawing(days: Sequence[Day]) -> str:
    """Return the SVG of one calendar; a tooltip of each cell gives its figures. Pure."""
    width, height = _LEFT + HOURS_A_DAY * _STEP, _TOP + len(days) * _STEP
    hours = "".join(
        f'<text x="{_LEFT + hour * _STEP}" y="14">{hour:02d}</text>' for hour in range(0, HOURS_A_DAY, 3)
    )
    lines = "".join(_line(day, _TOP + at * _STEP) for at, day in enumerate(days))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="hours by completeness">{hours}{lines}</svg>'
    )


def write_png(calendars: Mapping[str, Sequence[Day]], title: str, path: Path) -> None:
    """Write the calendars as a PNG. Raises BadInput without matplotlib, as in the writer's image."""
    try:
        colors: Any = importlib.import_module("matplotlib.colors")
        figures: Any = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise BadInput("--png needs matplotlib (pip install matplotlib); --html works without it") from error
    days = max(map(len, calendars.values()))
    figure = figures.Figure(figsize=(9, (1.2 + 0.22 * days) * len(calendars) + 1.2), layout="constrained")
    figure.suptitle(title)
    kinds = list(CELL_STYLES)
    palette = colors.ListedColormap([look.colour for look in CELL_STYLES.values()])
    for axes, (name, calendar) in zip(
        figure.subplots(len(calendars), squeeze=False)[:, 0], calendars.items(), strict=True
    ):
        grid = [[kinds.index(cell.kind) for cell in day.cells] for day in calendar]
        axes.pcolormesh(grid, cmap=palette, vmin=0, vmax=len(kinds), edgecolors="white", linewidth=1)
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_yticks(
            [at + 0.5 for at in range(len(calendar))], [_date(day) for day in calendar], fontsize=7
        )
        axes.set_xticks(range(0, HOURS_A_DAY + 1, 3))
        axes.invert_yaxis()
    patches: Any = importlib.import_module("matplotlib.patches")
    keys = [patches.Patch(color=look.colour, label=look.meaning) for look in CELL_STYLES.values()]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, fontsize=7)
    figure.savefig(path, dpi=120)


def _line(day: Day, top: int) -> str:
    cells = "".join(_rectangle(cell, _LEFT + at * _STEP, top) for at, cell in enumerate(day.cells))
    return f'<text x="0" y="{top + 12}">{_date(day)}</text>{cells}'


def _rectangle(cell: Cell, left: int, top: int) -> str:
    look = CELL_STYLES[cell.kind]
    tooltip = f"{hour_text(cell.hour)}: {look.meaning}"
    if cell.kind != "unknown":
        tooltip += f"; {cell.rows:,} rows, {cell.completeness:.0%} without a gap"
    return (
        f'<rect x="{left}" y="{top}" width="{_CELL}" height="{_CELL}" rx="2" fill="{look.colour}">'
        f"<title>{escape(tooltip)}</title></rect>"
    )


def _date(day: Day) -> str:
    return hour_start(day.number * HOURS_A_DAY).strftime("%Y-%m-%d")
