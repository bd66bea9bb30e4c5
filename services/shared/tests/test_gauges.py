"""Gauges that are computed at a scrape: ages grow, disks are measured."""

from __future__ import annotations

import math
import shutil
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from services.shared.gauges import Since, show_room
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_an_age_grows_without_being_set() -> None:
    registry = CollectorRegistry()
    since = Since(Gauge("age_seconds", "", registry=registry))
    assert math.isnan(_shown(registry, "age_seconds"))
    since.set(time.time() - 60)
    first = _shown(registry, "age_seconds")
    assert first >= 60
    wait_for(lambda: _shown(registry, "age_seconds") > first, 5, "the age grows by itself")
    since.set(None)
    assert _shown(registry, "age_seconds") == 0


def test_a_disk_is_measured_at_a_scrape_and_may_be_missing(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    free, size = (Gauge(name, "", registry=registry) for name in ("free_bytes", "size_bytes"))
    folder = tmp_path / "disk"
    show_room(folder, free, size)
    assert math.isnan(_shown(registry, "free_bytes"))
    folder.mkdir()
    assert _shown(registry, "size_bytes") == shutil.disk_usage(folder).total
    assert 0 <= _shown(registry, "free_bytes") <= _shown(registry, "size_bytes")


def _shown(registry: CollectorRegistry, name: str) -> float:
    value = registry.get_sample_value(name)
    assert value is not None
    return value
