"""Figures that are computed when asked.

So gauges stay true while the daemon that shows them is stuck, and what is counted for each frame costs an
addition there, with no lock.
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
    """A counter whose one writer adds to `count`; `name` without `_total`."""

    def __init__(self, name: str, meaning: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._meaning = meaning
        self.count = 0
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Show the count of this moment."""
        yield CounterMetricFamily(self._name, self._meaning, value=self.count)


class Since:
    """The clock minus a moment, in seconds; it grows by itself. NaN until a moment is set."""

    def __init__(self, gauge: Gauge, moment: float = math.nan) -> None:
        self._moment: float | None = moment
        gauge.set_function(self._seconds)

    def set(self, moment: float | None) -> None:
        """Count from this Unix second on; None: there is nothing to count from, and 0 is shown."""
        self._moment = moment

    def _seconds(self) -> float:
        return 0.0 if self._moment is None else time.time() - self._moment


def show_room(folder: Path, free: Gauge, size: Gauge | None = None) -> None:
    """Show what a folder's disk has left for us, and how large it is, in bytes; NaN when it is not there."""
    free.set_function(lambda: _room(folder)[0])
    if size is not None:
        size.set_function(lambda: _room(folder)[1])


def _room(folder: Path) -> tuple[float, float]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return math.nan, math.nan
    return usage.free, usage.total
