"""Pure: do data flow? Decided on samples of the daemons' own figures."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

NEAR_SECONDS = 60.0
"""A lag below is no lag; above, it must fall."""
OURS = ("gaps", "rejects")
_LINE = re.compile(r"(\w+)(?:\{([^}]*)\})? (\S+)")


class Sample(NamedTuple):
    """What both daemons said at one moment."""

    events: float
    """Events validated since the ingester's start."""
    rows: float
    """Rows of Jetstream's streams committed since the writer's start."""
    lag: float
    """Seconds behind."""
    paused: bool
    interval: float
    """Seconds between the writer's rounds."""


def sample(jetstream: str, data_writer: str) -> Sample:
    """Return what two `/metrics` pages say; raises KeyError where a figure is missing."""
    ingester, writer = _figures(jetstream), _figures(data_writer)
    return Sample(
        ingester["archive_validate_events_total"],
        writer["archive_commit_rows_total"],
        ingester["archive_receive_lag_seconds"],
        ingester["archive_receive_paused"] > 0,
        writer["archive_claim_interval_seconds"],
    )


def stopped_at(before: Sample | None, since: list[Sample]) -> str:
    """Return what does not flow yet, or nothing when all does.

    `before` is from before the release, which may have begun both daemons anew or not; `since`, from after.
    """
    if not since:
        return "the daemons do not answer"
    first, last = since[0], since[-1]
    if last.paused:
        return "the ingester is paused: a disk or Redis is nearly full"
    if not any(later.events > earlier.events for earlier, later in pairwise(since)):
        return "no events arrive"
    if not _grown(before.rows if before else 0.0, last.rows):
        return "no parts are committed"
    if last.lag > NEAR_SECONDS and last.lag >= first.lag:
        return f"the lag of {last.lag:.0f} s does not fall"
    return ""


def _grown(before: float, now: float) -> bool:
    """Return whether a counter has grown; below what it was, its daemon has begun anew."""
    return now > before or 0 < now < before


def _figures(page: str) -> dict[str, float]:
    """Return every figure, summed over its labels; streams of our own are left out."""
    sums: dict[str, float] = {}
    for line in page.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or any(f'stream="{name}"' in (found[2] or "") for name in OURS):
            continue
        sums[found[1]] = sums.get(found[1], 0.0) + float(found[3])
    return sums
