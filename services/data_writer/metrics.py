"""The metrics of the writer; the help of each says what a rise means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.shared.event import GapReason
from services.shared.gauges import Since, show_room

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.event import Stream

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WriterMetrics:
    """Metrics of the stages buffer, claim, encode and commit."""

    def __init__(self, registry: CollectorRegistry, streams: tuple[Stream, ...]) -> None:
        self.depth = Gauge(
            "archive_buffer_depth_events",
            "Events waiting in Redis; above the row limit for long means the writer falls behind.",
            ["stream"],
            registry=registry,
        )
        wait = Gauge(
            "archive_buffer_wait_seconds",
            "Seconds since the oldest waiting event was first seen; beyond two intervals the writer stalls.",
            ["stream"],
            registry=registry,
        )
        self.waits = {stream: Since(wait.labels(stream)) for stream in streams}
        self.interval = Gauge(
            "archive_claim_interval_seconds",
            "Seconds after which every stream is claimed at the latest.",
            registry=registry,
        )
        self.claims = Counter("archive_claim_taken_total", "Buffers claimed.", ["stream"], registry=registry)
        self.recovered = Counter(
            "archive_claim_recovered_total",
            "Claims found and committed; a rise means that a writer was killed or lost Redis.",
            ["stream"],
            registry=registry,
        )
        self.gaps = Counter(
            "archive_claim_gaps_total",
            "Gaps that the writer noted when it set the cursor, by reason; each is a row of `gaps`.",
            ["reason"],
            registry=registry,
        )
        self.encode_seconds = Histogram(
            "archive_encode_seconds",
            "Time to read a chunk from Redis and encode it.",
            buckets=SECONDS,
            registry=registry,
        )
        self.rejects = Counter(
            "archive_encode_rejects_total",
            "Events that could not be encoded, stored in `rejects`; a rise is a defect of the encoder.",
            registry=registry,
        )
        self.type_mismatches = Counter(
            "archive_encode_type_mismatches_total",
            "Values of a wrong type, kept in `extra`; a rise means that a lexicon changed.",
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "archive_commit_seconds", "Time to make a chunk durable.", buckets=SECONDS, registry=registry
        )
        self.rows = Counter("archive_commit_rows_total", "Rows committed.", ["stream"], registry=registry)
        self.parts = Counter(
            "archive_commit_parts_total", "Parquet files committed.", ["stream"], registry=registry
        )
        self.raw_bytes = Counter(
            "archive_commit_raw_bytes_total",
            "Bytes of the JSON of those rows.",
            ["stream"],
            registry=registry,
        )
        self.stored_bytes = Counter(
            "archive_commit_stored_bytes_total", "Bytes of the Parquet files.", ["stream"], registry=registry
        )
        self.newest = Gauge(
            "archive_commit_newest_event_timestamp_seconds",
            "Event time of the newest event committed; the time minus this is the archive's lag.",
            ["stream"],
            registry=registry,
        )
        self.swaps = Counter(
            "archive_commit_swaps_total",
            "Swap manifests processed, by cause and step; `discard` means that a late part arrived.",
            ["cause", "step"],
            registry=registry,
        )
        self.swap_failures = Counter(
            "archive_commit_swap_failures_total",
            "Swaps that failed (disk, damaged manifest); a rise means that hours stay uncompacted.",
            registry=registry,
        )
        self.unreadable = Gauge(
            "archive_commit_unreadable_files",
            "Parts and notes that the ledger could not read since the start; their rows count as missing.",
            registry=registry,
        )
        self.retries = Counter(
            "archive_commit_retries_total",
            "Rounds that failed and are repeated; rises while Redis is unreachable or the disk is full.",
            registry=registry,
        )
        self.epochs = Gauge(
            "archive_claim_epoch",
            "The epoch; rises by one when Redis' data was lost or a backup restored.",
            registry=registry,
        )
        self.unaccounted = Gauge(
            "archive_unaccounted_events",
            "Events in Redis and archive minus those pushed in this epoch: 0 is right, below 0 is loss, "
            "above 0 doubling; NaN until the footers are counted.",
            ["stream"],
            registry=registry,
        )
        self.disk_free = Gauge(
            "archive_commit_disk_free_bytes",
            "Free bytes on the archive's disk; below the reserve the ingester pauses.",
            registry=registry,
        )
        self.disk_size = Gauge(
            "archive_commit_disk_size_bytes", "Size of the archive's disk.", registry=registry
        )
        self.disk_reserve = Gauge(
            "archive_commit_disk_reserve_bytes",
            "The ingester pauses when the disk has fewer free bytes.",
            registry=registry,
        )
        for stream in streams:
            for metric in (self.depth, self.claims, self.recovered, self.rows, self.parts):
                metric.labels(stream)
            self.newest.labels(stream).set(math.nan)
            self.unaccounted.labels(stream).set(math.nan)
            self.raw_bytes.labels(stream)
            self.stored_bytes.labels(stream)
        for step in ("exchange", "finish", "discard"):
            self.swaps.labels("compaction", step)
        for reason in (GapReason.ARCHIVE_START, GapReason.CHECKPOINTS_LOST):
            self.gaps.labels(reason)

    def limits(self, interval_seconds: float, root: Path, reserve_mb: int) -> None:
        """Export the settings that other metrics are compared with, and the size of the archive's disk."""
        self.interval.set(interval_seconds)
        self.disk_reserve.set(reserve_mb * 1e6)
        show_room(root, self.disk_free, self.disk_size)
