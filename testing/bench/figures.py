"""What one measurement gives, and how several of it are told: median and spread."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Figures:
    """One measurement of `events` events; `rss` is the peak in bytes, `bytes` what was written."""

    events: int
    seconds: float
    cpu: float
    rss: int
    bytes: int = 0


def row(what: str, runs: Sequence[Figures]) -> list[str]:
    """Return a table's row: rate, CPU seconds a million events, peak memory, bytes an event."""
    size = statistics.median(run.bytes / run.events for run in runs)
    return [
        what,
        _told([run.events / run.seconds for run in runs], "{:,.0f}"),
        _told([run.cpu / run.events * 1e6 for run in runs], "{:.1f}"),
        _told([run.rss / 1e6 for run in runs], "{:,.0f}"),
        f"{size:.1f}" if size else "",
    ]


def _told(values: Sequence[float], form: str) -> str:
    middle, least, most = (
        form.format(value) for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({least}-{most})"
