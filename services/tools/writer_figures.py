"""What the running writer says of itself, where it can be asked."""

from __future__ import annotations

import math
import urllib.request
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 3
Figures = dict[str, dict[str, float]]
"""Gauges that have a label `stream`, by name and stream."""
ASKED = ("archive_unaccounted_events", "archive_buffer_depth_events")


def ask_writer(url: str) -> Figures | None:
    """Return the figures, or None where nobody answers with any."""
    # Never through a proxy: it is a machine of ours that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            text = answer.read().decode()
        return read_figures(text)
    except (OSError, ValueError):  # away, or not Prometheus' text
        return None


def read_figures(text: str) -> Figures:
    """Read the figures out of Prometheus' text. Raises ValueError where it is another."""
    found: Figures = {name: {} for name in ASKED}
    for family in text_string_to_metric_families(text):
        if family.name in found:
            found[family.name] = {sample.labels["stream"]: sample.value for sample in family.samples}
    return found


def unaccounted(figures: Mapping[str, Mapping[str, float]]) -> dict[str, int | None]:
    """Return the events beyond those pushed, a stream; None while the writer still counts."""
    told = figures["archive_unaccounted_events"]
    return {stream: None if math.isnan(value) else int(value) for stream, value in told.items()}
