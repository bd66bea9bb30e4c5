"""Every metric that the compactor exports; each help text says what a rise means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.compactor.settings import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping


class CompactorMetrics:
    """The compactor's counters and gauges."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._hours = Counter(
            "archive_compact_hours_total",
            "Hours of a stream that were merged and handed to the stream's writer for the swap.",
            registry=registry,
        )
        self._duplicates = Counter(
            "archive_compact_duplicates_total",
            "Rows removed because their event was there already; rises after Redis' data was lost.",
            registry=registry,
        )
        self._refused = Gauge(
            "archive_compact_refused_hours",
            "Hours of a stream with a file that is damaged or not of this archive: they are not merged, and "
            "its rows are not in coverage; 0 is right.",
            registry=registry,
        )
        self._deleted = Counter(
            "archive_compact_deleted_total",
            "Rows removed because their record, or their account, was deleted; by COMPACT_APPLY_DELETIONS.",
            ["policy"],
            registry=registry,
        )
        for policy in (Policy.RECORDS, Policy.ACCOUNTS):
            self._deleted.labels(policy)

    def count_merged(self, hours: int, duplicates: int) -> None:
        """Add merged hours, and the duplicate rows that their merges removed."""
        self._hours.inc(hours)
        self._duplicates.inc(duplicates)

    def count_deleted(self, rows: Mapping[str, int]) -> None:
        """Add rows that were removed because of deletions, by policy."""
        for policy, number in rows.items():
            self._deleted.labels(policy).inc(number)

    def set_refused(self, hours: int) -> None:
        """Set how many hours of a stream have a file that is damaged or not of this archive."""
        self._refused.set(hours)
