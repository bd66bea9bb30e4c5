"""The traffic beside the network: each known figure, what the traffic has, and whether it is near enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testing.events.census import census, crowds, distinct, rhythm
from testing.events.figures import BYTES, CROWDS, GZIP_WITHIN, MIX, OPERATIONS, POSTS, RHYTHM, WEIGHTS, Figure
from testing.events.traffic import HostView, Traffic
from testing.events.weighing import Kind, by_kind, pairs, slices, weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CAPTURES = {
    "July and May 2026": ("jetstream_v1_20260704.jsonl", "jetstream_v1_20260525.jsonl"),
    "September 2024": ("jetstream_v1_20240921_upgraded_envelope.jsonl",),
}
# Eleven short posts that somebody put into a compression dictionary because they are like each other.
UNLIKE = {("September 2024", "posts")}
_SPANS = {"second": 1, "minute": 60, "hour": 3600}


class Row(NamedTuple):
    """One line of the report."""

    name: str
    ours: float
    real: float | None
    """None where no real figure is known."""
    within: float | None
    source: str

    @property
    def holds(self) -> bool:
        """True where the traffic is as near to the real figure as it has to be, or nobody knows it."""
        return self.real is None or self.within is None or abs(self.ours - self.real) <= self.within


def compared(found: Mapping[str, float], figures: Iterable[Figure]) -> list[Row]:
    """Return a row for each figure; what the traffic does not hold at all is 0."""
    return [
        Row(figure.name, found.get(figure.name, 0.0), figure.real, figure.within, figure.source)
        for figure in figures
    ]


def composition(frames: Sequence[bytes], first_us: int) -> dict[str, list[Row]]:
    """Return what the events are made of, by section."""
    counted = {**census(frames), **crowds(first_us)}
    paced = rhythm(first_us)
    valley = "valley, times the day's mean"
    return {
        "What happens, % of all events": compared(counted, MIX),
        "Creates, % of a collection": compared(counted, OPERATIONS),
        "Sizes": compared(counted, BYTES),
        "What is in it, %": compared(counted, POSTS),
        "Who": compared(counted, CROWDS),
        "Rhythm": [*compared(paced, RHYTHM), Row(valley, paced[valley], None, None, "no figure known")],
    }


def benchmark_weights(kinds: Mapping[Kind, list[bytes]]) -> list[Row]:
    """Return what creates weigh beside the first of JSONBench, whose likes and reposts had no `via` yet."""
    rows = []
    for collection, size, _, gzipped in WEIGHTS:
        creates = next(frames for kind, frames in kinds.items() if kind[1:] == (collection, "create"))
        ours = weight(slices(creates, size))[1]
        name = f"{collection}, samples of {size}"
        rows.append(Row(name, ours, gzipped, gzipped * GZIP_WITHIN, "first events of JSONBench"))
    return rows


def captured_weights(kinds: Mapping[Kind, list[bytes]], folder: Path) -> list[Row]:
    """Return what each stream weighs beside real events, captured files of which lie in a folder."""
    rows = []
    for when, files in CAPTURES.items():
        real = [line for file in files for line in (folder / file).read_bytes().splitlines()]
        for pair in pairs(real, kinds):
            unlike = (when, pair.stream) in UNLIKE
            within = None if unlike else pair.real[1] * GZIP_WITHIN
            name = f"{pair.stream}, samples of {pair.events}{', chosen alike: not held' if unlike else ''}"
            rows.append(Row(name, pair.ours[1], pair.real[1], within, when))
    return rows


def gatherings(traffic: Traffic, longest: int) -> list[Row]:
    """Return how many DIDs act and how many subjects are met in a second, a minute, an hour; none longer."""
    spans = [(span, seconds) for span, seconds in _SPANS.items() if seconds <= longest]
    return [
        Row(f"{what}, 1 {span} of {traffic.rate:g} events/s", count, None, None, "no figure known")
        for span, seconds in spans
        for what, count in zip(("DIDs", "subjects"), distinct(traffic, seconds), strict=True)
    ]


def sections(traffic: Traffic, events: int, longest: int, captured: Path | None) -> dict[str, list[Row]]:
    """Return the whole report by section: of so many events, of actors for `longest` seconds.

    `captured` is a folder of real events; None leaves out the comparison with them.
    """
    frames = [traffic.frame(i, HostView()) for i in range(events)]
    kinds = by_kind(frames)
    told = composition(frames, traffic.first_us)
    told["Who"] += gatherings(traffic, longest)
    told["Gzipped bytes an event, equal samples"] = benchmark_weights(kinds)
    if captured is not None:
        told["Gzipped bytes an event, equal samples"] += captured_weights(kinds, captured)
    return told


def markdown(told: Mapping[str, Sequence[Row]]) -> str:
    """Return the report as Markdown tables."""
    lines: list[str] = []
    for section, rows in told.items():
        lines += [
            f"\n### {section}\n",
            "| | traffic | network | may differ by | source |",
            "|---|--:|--:|--:|---|",
        ]
        for row in rows:
            real = "-" if row.real is None else _number(row.real)
            within = "-" if row.within is None else _number(row.within)
            name = row.name if row.holds else f"**{row.name}: too far**"
            lines.append(f"| {name} | {_number(row.ours)} | {real} | {within} | {row.source} |")
    return "\n".join(lines).strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"
