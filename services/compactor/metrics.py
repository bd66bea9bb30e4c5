"""Every metric the compactor exports, in one class; the help says what a rise means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from services.compactor.look import Found


class CompactorMetrics:
    """What the compactor did."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._hours = Counter(
            "archive_compact_hours_total",
            "Hours of a stream merged, and handed to its writer.",
            registry=registry,
        )
        self._duplicates = Counter(
            "archive_compact_duplicates_total",
            "Rows left out because their event was there already; rises after Redis' data was lost.",
            registry=registry,
        )
        self._refused = Gauge(
            "archive_compact_refused_hours",
            "Hours that cannot be merged for a damaged or strange file; 0 is right.",
            registry=registry,
        )

    def looked(self, found: Found) -> None:
        """Enter what came of a look."""
        self._hours.inc(found.prepared)
        self._duplicates.inc(found.duplicates)
        self._refused.set(found.refused)
