"""A path's pictures as SVG, to stand inside the report's HTML."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

from testing.performance.bench.outcome import Bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testing.performance.bench.outcome import Lines

WIDE, HIGH_BAR, HIGH_LINES = 9.0, 0.38, 3.2
OURS = ("ingester", "writer", "plain", "Parquet zstd")
"""How the names of our own begin."""


def draw(picture: Bars | Lines) -> str:
    """Return a picture as an `<svg>` element."""
    # Text as text, not as outlines: a tenth of the size, and it can be searched.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench"}):
        high = 0.9 + HIGH_BAR * len(picture.bars) if isinstance(picture, Bars) else HIGH_LINES
        figure = Figure(figsize=(WIDE, high), layout="constrained")
        axes = figure.add_subplot()
        if isinstance(picture, Bars):
            _bars(axes, picture)
        else:
            _lines(axes, picture)
        axes.set_title(picture.title, loc="left", fontsize="medium")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue().partition("<svg")[1] + drawn.getvalue().partition("<svg")[2]


def _bars(axes: Axes, picture: Bars) -> None:
    names = [bar.name for bar in picture.bars]
    medians = [bar.value.median for bar in picture.bars]
    spreads = [
        [bar.value.median - bar.value.least for bar in picture.bars],
        [bar.value.most - bar.value.median for bar in picture.bars],
    ]
    colors = ["C0" if name.startswith(OURS) else "0.7" for name in names]
    axes.barh(names, medians, xerr=spreads, color=colors, error_kw={"linewidth": 1, "capsize": 3})
    axes.invert_yaxis()
    axes.set_xlabel(f"{picture.unit}: median, least and most")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _lines(axes: Axes, picture: Lines) -> None:
    for name, found in picture.lines.items():
        axes.plot([x for x, _ in found], [y for _, y in found], marker="o", label=name, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(picture.over)
    axes.set_ylabel(picture.unit)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize="small", framealpha=0.8)
