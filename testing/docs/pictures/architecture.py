"""The spine as an SVG that can be read on white and on black: what stands outside boxes is grey. Pure."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

WIDE, TOP, HIGH = 1080, 32, 262
GREY = "#808a94"
BLUE, GREEN, VIOLET, AMBER = "#1f5fa8", "#1e7a46", "#6b4ba3", "#8a5a00"
FONT = "font-family='system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif'"


class Box(NamedTuple):
    """A filled box with a name and a line about it."""

    name: str
    about: str
    left: int
    top: int
    wide: int
    colour: str
    high: int = 52


STAGES = (
    Box("receive", "one websocket", 150, 96, 92, BLUE),
    Box("validate", "event or reject", 256, 96, 92, BLUE),
    Box("buffer", "one transaction", 362, 96, 92, BLUE),
    Box("claim", "rename the list", 606, 96, 92, GREEN),
    Box("encode", "fixed columns", 712, 96, 92, GREEN),
    Box("commit", "sync, then ack", 818, 96, 92, GREEN),
)
"""The six words, in the order in which an event passes them."""
AROUND = (
    Box("Jetstream", "six public hosts", 8, 96, 104, GREY),
    Box("Redis", "events and cursor", 480, 96, 100, "#a03030"),
    Box("Parquet", "a file an hour", 956, 96, 116, VIOLET),
    Box("compactor", "closed hours: each event once", 818, 216, 188, VIOLET, 46),
    Box("monitoring", "is it whole? alerts, dashboards", 362, 216, 218, AMBER, 46),
)
FRAMES = ((138, 328, "ingester: services/jetstream"), (594, 328, "writer: services/data_writer"))
ARROWS = ((112, 150), (242, 256), (348, 362), (454, 480), (580, 606), (698, 712), (804, 818), (910, 956))
MIDDLE = 122
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    f'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{GREY}"/></marker></defs>'
)


def drawing() -> str:
    """Return the picture."""
    words = " to ".join(stage.name for stage in STAGES)
    size = f'viewBox="0 {TOP} {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{words}" {FONT}>', TIP]
    for left, wide, name in FRAMES:
        parts.append(
            f'<rect x="{left}" y="60" width="{wide}" height="104" rx="10" fill="none" stroke="{GREY}" '
            f'stroke-dasharray="5 4"/>{_text((left + wide / 2, 50), name, 13)}'
        )
    parts += [_line(f"M{start} {MIDDLE}H{end - 2}") for start, end in ARROWS]
    parts += [_box(box) for box in (*STAGES, *AROUND)]
    parts += [
        # Back: whatever is told forward is sure before it.
        _line("M420 148V186H196V166", "the cursor comes back after every outage", (308, 202)),
        _line("M864 148V186H530V150", "acked when the files are durable", (700, 202)),
        _line("M1030 148V239H1008"),
        _line("M1008 228H1018V150"),
        _text((908, 284), "archive: status, sql, verify, export, repair …", 13),
        _text((1014, 84), "DuckDB, Polars, pandas"),
        _text((471, 284), "Prometheus, Alertmanager, Grafana ask every part", 13),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box) -> str:
    middle, centre = box.left + box.wide / 2, box.top + box.high / 2
    place = f'x="{box.left}" y="{box.top}" width="{box.wide}" height="{box.high}"'
    return (
        f'<rect {place} rx="7" fill="{box.colour}"/>'
        + _text((middle, centre - 3), f"<tspan font-weight='600'>{box.name}</tspan>", 15, "#ffffff")
        + _text((middle, centre + 14), escape(box.about), 10.5, "#ffffff")
    )


def _text(place: tuple[float, float], said: str, size: float = 12, colour: str = GREY) -> str:
    x, y = place
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}" text-anchor="middle">{said}</text>'
    )


def _line(path: str, said: str = "", place: tuple[float, float] = (0, 0)) -> str:
    drawn = f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="1.6" marker-end="url(#tip)"/>'
    return drawn + (_text(place, said) if said else "")
