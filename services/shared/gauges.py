"""Metrics that are computed when they are scraped.

Such gauges stay correct while the daemon hangs, and counting a frame costs one addition without a lock.
"""

from __future__ import annotations

import math
import shutil
import time
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client import CollectorRegistry, Gauge


class Total(Collector):
    """A counter whose only writer adds to `count`; `name` is without `_total`."""

    def __init__(self, name: str, meaning: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._meaning = meaning
        self.count = 0
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the current count."""
        yield CounterMetricFamily(self._name, self._meaning, value=self.count)


class Since:
    """A gauge of the seconds since a moment; NaN until a moment is set."""

    def __init__(self, gauge: Gauge, moment: float = math.nan) -> None:
        self._moment: float | None = moment
        gauge.set_function(self._seconds)

    def set(self, moment: float | None) -> None:
        """Set the moment, in Unix seconds; with None the gauge shows 0."""
        self._moment = moment

    def _seconds(self) -> float:
        return 0.0 if self._moment is None else time.time() - self._moment


def show_room(folder: Path, free: Gauge, size: Gauge | None = None) -> None:
    """Export the free bytes, and the size, of a folder's disk; NaN while the folder is missing."""
    free.set_function(lambda: _room(folder)[0])
    if size is not None:
        size.set_function(lambda: _room(folder)[1])


def _room(folder: Path) -> tuple[float, float]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return math.nan, math.nan
    return usage.free, usage.total
