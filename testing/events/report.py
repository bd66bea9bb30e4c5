"""The generated traffic compared with the network: known figure, the traffic's value, tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testing.events.census import Kind, by_kind, census, crowds, distinct, pairs, rhythm, slices, weight
from testing.events.traffic import HostView, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


CAPTURES = {
    "July and May 2026": ("jetstream_v1_20260704.jsonl", "jetstream_v1_20260525.jsonl"),
    "September 2024": ("jetstream_v1_20240921_upgraded_envelope.jsonl",),
}
# Eleven short posts that were chosen for a compression dictionary because they resemble each other.
CHOSEN_ALIKE = {("September 2024", "posts")}
_SPANS = {"second": 1, "minute": 60, "hour": 3600}
JULY = "152 events, July 2026"
SEVENTEEN = "17 posts, July 2026"
BENCH = "1e9 events, November 2024 (JSONBench)"
MILLION = "first 1e6 events of JSONBench"
SECOND = "first second of JSONBench"
LINES = "line sizes of all captures"
GZIP_WITHIN = 0.1
"""Samples of equal size have to gzip to the same bytes an event within this share."""


class Row(NamedTuple):
    """One line of the report."""

    name: str
    ours: float
    real: float | None
    """None: no real figure is known."""
    within: float | None
    source: str

    @property
    def holds(self) -> bool:
        """Whether the traffic's value is within the tolerance, or no real figure is known."""
        return self.real is None or self.within is None or abs(self.ours - self.real) <= self.within


def compared(found: Mapping[str, float], figures: Iterable[Figure]) -> list[Row]:
    """Return a row for each figure; values missing in the traffic are 0."""
    return [
        Row(figure.name, found.get(figure.name, 0.0), figure.real, figure.within, figure.source)
        for figure in figures
    ]


def composition(frames: Sequence[bytes], first_us: int) -> dict[str, list[Row]]:
    """Return the composition of the events, by section."""
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
    """Compare the size of creates with JSONBench's first events, whose likes and reposts had no `via`."""
    rows = []
    for collection, size, _, gzipped in WEIGHTS:
        creates = next(frames for kind, frames in kinds.items() if kind[1:] == (collection, "create"))
        ours = weight(slices(creates, size))[1]
        name = f"{collection}, samples of {size}"
        rows.append(Row(name, ours, gzipped, gzipped * GZIP_WITHIN, "first events of JSONBench"))
    return rows


def captured_weights(kinds: Mapping[Kind, list[bytes]], folder: Path) -> list[Row]:
    """Compare the size of each stream with captured events in a folder."""
    rows = []
    for when, files in CAPTURES.items():
        real = [line for file in files for line in (folder / file).read_bytes().splitlines()]
        for pair in pairs(real, kinds):
            alike = (when, pair.stream) in CHOSEN_ALIKE
            within = None if alike else pair.real[1] * GZIP_WITHIN
            name = f"{pair.stream}, samples of {pair.events}{', chosen alike: not judged' if alike else ''}"
            rows.append(Row(name, pair.ours[1], pair.real[1], within, when))
    return rows


def gatherings(traffic: Traffic, longest: int) -> list[Row]:
    """Return the numbers of DIDs and subjects in a second, a minute, an hour, up to `longest` seconds."""
    spans = [(span, seconds) for span, seconds in _SPANS.items() if seconds <= longest]
    return [
        Row(f"{what}, 1 {span} of {traffic.rate:g} events/s", count, None, None, "no figure known")
        for span, seconds in spans
        for what, count in zip(("DIDs", "subjects"), distinct(traffic, seconds), strict=True)
    ]


def sections(traffic: Traffic, events: int, longest: int, captured: Path | None) -> dict[str, list[Row]]:
    """Return the report by section, on `events` events and the actors of `longest` seconds.

    `captured` is a folder of real events; None: no comparison with them.
    """
    frames = [traffic.frame(i, HostView()) for i in range(events)]
    kinds = by_kind(frames)
    report = composition(frames, traffic.first_us)
    report["Who"] += gatherings(traffic, longest)
    report["Gzipped bytes an event, equal samples"] = benchmark_weights(kinds)
    if captured is not None:
        report["Gzipped bytes an event, equal samples"] += captured_weights(kinds, captured)
    return report


def markdown(report: Mapping[str, Sequence[Row]]) -> str:
    """Return the report as Markdown tables."""
    lines: list[str] = []
    for section, rows in report.items():
        lines += [
            f"\n### {section}\n",
            "| | traffic | network | tolerance | source |",
            "|---|--:|--:|--:|---|",
        ]
        for row in rows:
            real = "-" if row.real is None else _number(row.real)
            within = "-" if row.within is None else _number(row.within)
            name = row.name if row.holds else f"**{row.name}: outside the tolerance**"
            lines.append(f"| {name} | {_number(row.ours)} | {real} | {within} | {row.source} |")
    return "\n".join(lines).strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


class Figure(NamedTuple):
    """A figure of the real network; percentages unless the name says otherwise."""

    name: str
    real: float
    within: float
    """Tolerance of the traffic's value, in the figure's unit."""
    source: str


class Weight(NamedTuple):
    """Mean bytes per event of samples of `events` creates, raw and gzipped."""

    collection: str
    events: int
    raw: float
    gzipped: float


# Likes, posts, reposts and follows have the shares of the capture of 2026: in 2024 a third of all events were
# follows of newcomers. Figures for which the capture is too small are those of the billion events of 2024.
MIX = (
    Figure("app.bsky.feed.like", 69.1, 3.0, JULY),
    Figure("app.bsky.feed.post", 11.8, 1.5, JULY),
    Figure("app.bsky.feed.repost", 9.9, 1.5, JULY),
    Figure("app.bsky.graph.follow", 5.9, 1.5, JULY),
    Figure("identity and account", 0.63, 0.1, BENCH),
    Figure("app.bsky.graph.block", 1.6, 0.2, BENCH),
    Figure("app.bsky.actor.profile", 0.81, 0.15, BENCH),
    Figure("app.bsky.graph.listitem", 0.78, 0.15, BENCH),
    Figure("app.bsky.graph.listblock", 0.08, 0.04, BENCH),
    Figure("app.bsky.feed.threadgate", 0.04, 0.02, BENCH),
    Figure("app.bsky.graph.list", 0.03, 0.02, BENCH),
    Figure("app.bsky.graph.starterpack", 0.03, 0.02, BENCH),
    Figure("app.bsky.feed.postgate", 0.02, 0.015, BENCH),
    Figure("app.bsky.feed.generator", 0.007, 0.006, BENCH),
    Figure("deletes", 2.6, 1.0, JULY),
)
OPERATIONS = (
    Figure("creates among likes", 98.7, 0.5, BENCH),
    Figure("creates among posts", 95.1, 1.5, BENCH),
    Figure("creates among follows", 91.6, 2.0, BENCH),
    Figure("creates among reposts", 97.4, 1.0, MILLION),
    Figure("creates among profiles", 39.5, 8.0, BENCH),
)
BYTES = (
    Figure("bytes, mean event", 552.0, 28.0, JULY),
    Figure("bytes, 99th percentile of events", 1_200.0, 120.0, LINES),
    Figure("bytes, median like", 502.0, 2.0, LINES),
    Figure("bytes, median like with via", 659.0, 5.0, LINES),
    Figure("bytes, median repost", 506.0, 2.0, LINES),
    Figure("bytes, median follow", 395.5, 2.0, LINES),
    Figure("bytes, median block", 392.0, 2.0, LINES),
    Figure("bytes, mean delete", 200.0, 5.0, LINES),
    Figure("bytes, least identity", 193.0, 2.0, LINES),
    Figure("bytes, 90th percentile of identities", 231.0, 10.0, LINES),
    Figure("bytes, median post", 780.0, 40.0, LINES),
)
POSTS = (
    Figure("replies among posts", 47.0, 12.0, SEVENTEEN),
    Figure("posts with an embed", 29.0, 11.0, SEVENTEEN),
    Figure("posts with facets", 29.0, 11.0, SEVENTEEN),
    Figure("posts in English", 47.0, 12.0, SEVENTEEN),
    Figure("likes with via", 17.1, 7.5, "105 likes, July 2026"),
    Figure("reposts with via", 40.0, 25.0, "15 reposts, July 2026"),
)
CROWDS = (
    Figure("DIDs in 152 events", 149.0, 2.5, JULY),
    Figure("DIDs in 502 likes", 493.0, 4.0, SECOND),
    Figure("subjects in 502 likes", 492.0, 4.0, SECOND),
    Figure("DIDs in 444,523 likes of 814 s", 117_671.0, 6_000.0, MILLION),
    Figure("DIDs in 86,812 posts of 814 s", 50_489.0, 2_500.0, MILLION),
    Figure("DIDs in 56,993 reposts of 814 s", 26_584.0, 1_300.0, MILLION),
    Figure("DIDs in 337,978 follows of 814 s", 64_023.0, 3_200.0, MILLION),
)
RHYTHM = (
    Figure("peak hour, times the day's mean", 1.42, 0.03, "130,000 of 2.2 million posts, March 2026"),
    Figure("burst, times the hour's mean", 10.0, 0.1, "set: ten times for a minute"),
)
WEIGHTS = (
    Weight("app.bsky.feed.like", 502, 503, 143),
    Weight("app.bsky.feed.repost", 60, 507, 148),
    Weight("app.bsky.graph.follow", 300, 395, 95),
    Weight("app.bsky.feed.post", 100, 782, 234),
)
"""Creates among the first events of JSONBench."""
