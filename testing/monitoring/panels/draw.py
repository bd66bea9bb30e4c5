"""Draw a dashboard as a picture, with positions and colours of Grafana."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from services.monitoring.dashboards.grafana import rendered
from testing.monitoring.panels.answers import readable, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from services.monitoring.dashboards.page import Page, Panel
    from testing.monitoring.panels.answers import Answer, Line

A_DAY = 86_400
"""Matplotlib counts days since 1970."""
INCHES_WIDE = 18.0
CELL_INCHES = 0.42
TOP_INCHES = 0.7
LEGEND_MOST, LEGEND_COLUMNS = 6, 3
PALETTE = {"green": "#3f9a4f", "yellow": "#d8a31a", "red": "#c4363c", "blue": "#3b6fb6"}
LINES = ("#3b6fb6", "#d97c2b", "#3f9a4f", "#b0413e", "#7a5fb0", "#8a6a4f", "#c76fa8", "#6f7680", "#a9a832")


def draw(page: Page, answers: list[Answer], path: Path) -> None:
    """Write the picture of a dashboard as a PNG file."""
    mpl.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 8,
            "date.converter": "concise",
            "axes.prop_cycle": cycler(color=LINES),
        }
    )
    placed = json.loads(rendered(page))["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in placed)
    high = rows * CELL_INCHES + TOP_INCHES
    figure = Figure(figsize=(INCHES_WIDE, high), facecolor="#f4f5f7")
    FigureCanvasAgg(figure)
    now = datetime.now(UTC)
    figure.text(0.012, 1 - 0.28 / high, page.title, fontsize=15, weight="bold", va="center")
    figure.text(0.988, 1 - 0.28 / high, f"{now:%Y-%m-%d %H:%M} UTC", fontsize=9, ha="right", va="center")
    waiting = {answer.panel.title: answer for answer in answers}
    for panel in placed:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        top = 1 - (TOP_INCHES + place["y"] * CELL_INCHES) / high
        if panel["type"] == "row":
            figure.text(
                0.012,
                top - 0.55 * CELL_INCHES / high,
                panel["title"],
                fontsize=11,
                weight="bold",
                va="center",
            )
            continue
        tall = place["h"] * CELL_INCHES / high
        box = (left + 0.004, top - tall + 0.05 / high, width - 0.008, tall - 0.1 / high)
        _panel(figure, box, waiting[panel["title"]], high)
    figure.savefig(path, dpi=100)


def _panel(figure: Figure, box: tuple[float, float, float, float], answer: Answer, high: float) -> None:
    left, bottom, width, tall = box
    frame = figure.add_axes(box)
    frame.set(xticks=[], yticks=[], facecolor="white")
    frame.spines[:].set_color("#d5d8dd")
    panel = answer.panel
    lines = [line for _, found in answer.lines for line in found]
    if panel.kind == "stat":
        _stat(frame, panel, lines)
        return
    frame.text(0.015, 0.97, panel.title, transform=frame.transAxes, va="top", weight="bold", fontsize=9)
    margin = (0.6 / INCHES_WIDE, 0.66 / high, 0.12 / INCHES_WIDE, 0.34 / high)
    axes = figure.add_axes(
        (left + margin[0], bottom + margin[1], width - margin[0] - margin[2], tall - margin[1] - margin[3])
    )
    _graph(axes, panel, lines)


def _stat(frame: Axes, panel: Panel, lines: list[Line]) -> None:
    value = lines[0].last if lines else float("nan")
    frame.set_facecolor(PALETTE[_colour(panel, value)] if lines else "#9aa0a8")
    text = (
        {at: word for at, word, _ in panel.words}.get(value, readable(value, panel.unit))
        if lines
        else "no data"
    )
    frame.text(
        0.5, 0.86, panel.title, transform=frame.transAxes, ha="center", va="center", color="white", fontsize=9
    )
    frame.text(
        0.5,
        0.42,
        text,
        transform=frame.transAxes,
        ha="center",
        va="center",
        color="white",
        fontsize=19,
        weight="bold",
    )


def _graph(axes: Axes, panel: Panel, lines: list[Line]) -> None:
    # Lines that are always zero are only counted, so that the legend has room for the others.
    shown = sorted(
        (line for line in lines if any(value for _, value in line.points)), key=lambda line: -line.last
    )
    flat = len(lines) - len(shown)
    colours = {line.name: LINES[place % len(LINES)] for place, line in enumerate(lines)}
    if panel.stacked and shown:
        times = sorted({at for line in shown for at, _ in line.points})
        heights = [[dict(line.points).get(at, 0.0) for at in times] for line in shown]
        axes.stackplot(
            [at / A_DAY for at in times],
            heights,
            labels=[line.name for line in shown],
            colors=[colours[line.name] for line in shown],
            alpha=0.75,
        )
    else:
        for line in shown:
            moments = [at / A_DAY for at, _ in line.points]
            axes.plot(
                moments,
                [value for _, value in line.points],
                label=line.name,
                linewidth=1.2,
                color=colours[line.name],
            )
    for value, colour in panel.steps:
        if value is not None and len(panel.steps) > 1:
            axes.axhline(value, color=PALETTE[colour], linewidth=0.9, linestyle="--")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: readable(value, panel.unit)))
    axes.tick_params(labelsize=7, length=2)
    axes.grid(color="#e6e8eb", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if panel.at_least is not None:
        axes.set_ylim(bottom=min(panel.at_least, axes.get_ylim()[0]) if _dips(shown) else panel.at_least)
    if not shown:
        axes.set(yticks=[0], xticks=[], ylim=(0, 1))
        axes.text(
            0.5,
            0.5,
            "0" if lines else "no data",
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=14,
        )
    else:
        axes.xaxis_date()
        axes.xaxis.get_offset_text().set_visible(False)
        low, top = axes.get_ylim()
        size = size_of(top, panel.unit)
        axes.set_yticks([tick * size for tick in MaxNLocator(4).tick_values(low / size, top / size)])
        axes.set_ylim(low, top)
    _legend(axes, panel, shown[:LEGEND_MOST], len(shown[LEGEND_MOST:]), flat)


def _legend(axes: Axes, panel: Panel, shown: list[Line], more: int, flat: int) -> None:
    handles, _ = axes.get_legend_handles_labels()
    labels = [f"{line.name} {readable(line.last, panel.unit)}" for line in shown]
    rest = ", ".join(filter(None, (f"{more} more" if more else "", f"{flat} at 0" if flat else "")))
    axes.text(1, 1.06, rest, transform=axes.transAxes, ha="right", fontsize=6.5, color="#6f7680")
    if labels:
        axes.legend(
            handles[: len(labels)],
            labels,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.12),
            ncols=LEGEND_COLUMNS,
            fontsize=6.5,
            frameon=False,
            handlelength=0.9,
            columnspacing=0.8,
            handletextpad=0.3,
        )


def _colour(panel: Panel, value: float) -> str:
    chosen = panel.steps[0][1]
    for bound, colour in panel.steps[1:]:
        if bound is not None and value >= bound:
            chosen = colour
    return {at: colour for at, _, colour in panel.words}.get(value, chosen)


def _dips(shown: list[Line]) -> bool:
    return any(value < 0 for line in shown for _, value in line.points)
