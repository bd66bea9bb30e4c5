"""Fill a Prometheus with thirty days of plausible samples of given series, by promtool, within a minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.harness.stack import Stack
    from testing.monitoring.prometheus import Labels

DAYS = 30
A_DAY = 86_400
SCRAPE_SECONDS = 15
OLDER_SECONDS = 300
BLOCK_SECONDS = 54 * 3600
"""Prometheus' own largest block at thirty days of retention; promtool cuts at its multiples."""
COUNTERS = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True)
class Past:
    """The times of samples in Unix seconds: every 15 s in the last day, every 5 min before it."""

    end: int

    @property
    def start(self) -> int:
        """The first time, some minutes less than thirty days ago, so that retention deletes nothing."""
        return self.end - DAYS * A_DAY + 2 * OLDER_SECONDS

    def times(self) -> list[int]:
        """Return all times."""
        border = self.end - A_DAY
        return [*range(self.start, border, OLDER_SECONDS), *range(border, self.end, SCRAPE_SECONDS)]


def backfill(stack: Stack, series: list[Labels], past: Past) -> int:
    """Fill the data of a stack whose Prometheus does not run; returns the number of samples."""
    folder = stack.folder / "backfill"
    folder.mkdir()
    folder.chmod(0o755)
    samples = write(folder, series, past)
    loop = (
        "ls /backfill/* | xargs -n 1 -P 2 sh -c 'promtool tsdb create-blocks-from openmetrics "
        f"--quiet --max-block-duration={BLOCK_SECONDS}s $0 /prometheus'"
    )
    words = ("run", "--rm", "--no-deps", "-T", "--volume", f"{folder}:/backfill:ro")
    stack.compose(*words, "--entrypoint", "sh", "prometheus", "-c", loop, seconds=180)
    return samples


def write(folder: Path, series: list[Labels], past: Past) -> int:
    """Write one OpenMetrics text file for each block; returns the number of samples."""
    ordered = sorted(series, key=lambda labels: (labels["__name__"], sorted(labels.items())))
    samples = 0
    for block, times in groupby(past.times(), lambda at: at // BLOCK_SECONDS):
        within = list(times)
        with (folder / f"{block}.txt").open("w", encoding="utf-8") as file:
            for place, labels in enumerate(ordered):
                file.writelines(_lines(labels, place, within, past.start))
            file.write("# EOF\n")
        samples += len(ordered) * len(within)
    return samples


def _lines(labels: Labels, place: int, times: list[int], start: int) -> Iterator[str]:
    """Yield the samples of a series; `place` makes them differ from other series."""
    name = labels["__name__"]
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items() if key != "__name__")
    head = f"{name}{{{inside}}}"
    if name.endswith(COUNTERS):
        # Buckets of one histogram grow with their bound, the last one fastest.
        pace = _bucket_pace(labels) if name.endswith("_bucket") else 1 + place % 7
        return (f"{head} {int((at - start) * pace)} {at}\n" for at in times)
    if name.endswith("timestamp_seconds"):
        return (f"{head} {at - place % 9} {at}\n" for at in times)
    if name in ("up", "ALERTS"):
        return (f"{head} 1 {at}\n" for at in times)
    return (f"{head} {50 + 40 * math.sin(at / 3600 + place):.3f} {at}\n" for at in times)


def _bucket_pace(labels: Labels) -> float:
    bound = float(labels["le"])
    return 10.0 if math.isinf(bound) else 10 * bound / (bound + 0.05)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
