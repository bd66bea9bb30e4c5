"""Every metric the compactor exports, in one class; the help says what a rise means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.compactor.settings import Policy

if TYPE_CHECKING:
    from services.compactor.apply import Applied
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

        self._deleted = Counter(
            "archive_compact_deleted_total",
            "Rows left out because their record, or their account, was deleted; by COMPACT_APPLY_DELETIONS.",
            ["policy"],
            registry=registry,
        )
        for policy in (Policy.RECORDS, Policy.ACCOUNTS):
            self._deleted.labels(policy)

    def applied(self, applied: Applied) -> None:
        """Enter what came of applying deletions."""
        for policy, rows in applied.rows.items():
            self._deleted.labels(policy).inc(rows)

    def looked(self, found: Found) -> None:
        """Enter what came of a look."""
        self._hours.inc(found.prepared)
        self._duplicates.inc(found.duplicates)
        self._refused.set(found.refused)
