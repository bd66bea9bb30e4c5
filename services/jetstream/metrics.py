"""Every metric of the ingester, in one class; the help texts say what a rise means."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.jetstream.connection import DisconnectReason
from services.shared.event import GapReason, Reason, Stream
from services.shared.gauges import Since, Total, show_room


class IngesterMetrics:
    """Metrics of the stages receive, validate and buffer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "archive_receive_connected",
            "1 while connected to a Jetstream host; 0 for long means a growing lag.",
            registry=registry,
        )
        self.host = Gauge(
            "archive_receive_host",
            "1 for the host in use; a change is a failover.",
            ["host"],
            registry=registry,
        )
        self.frames = Total(
            "archive_receive_frames",
            "Frames received, repeats included; no rise means a silent host.",
            registry,
        )
        self.bytes = Total("archive_receive_bytes", "Bytes of the frames received.", registry)
        self.reconnects = Counter(
            "archive_receive_reconnects_total",
            "Connections that ended, by reason; a rise means an unstable host.",
            ["reason"],
            registry=registry,
        )
        self.lag = Since(
            Gauge(
                "archive_receive_lag_seconds",
                "Clock minus the time of the newest event received; falls while catching up.",
                registry=registry,
            )
        )
        self.cursor_age = Since(
            Gauge(
                "archive_receive_cursor_age_seconds",
                "Clock minus the time of the stored cursor; beyond the look-back events are lost.",
                registry=registry,
            )
        )
        self.quiet = Since(
            Gauge(
                "archive_receive_quiet_seconds",
                "Seconds since the last frame, or since the start; a rise means that every host is silent.",
                registry=registry,
            ),
            time.time(),
        )
        self.paused = Gauge(
            "archive_receive_paused",
            "1 while paused by backpressure: Redis or a watched disk is nearly full.",
            registry=registry,
        )
        self.look_back = Gauge(
            "archive_receive_look_back_seconds",
            "How long the hosts keep events; the cursor's age must stay below it.",
            registry=registry,
        )
        self.quiet_limit = Gauge(
            "archive_receive_quiet_limit_seconds",
            "A host that sends nothing for longer is left.",
            registry=registry,
        )
        self.disk_free = Gauge(
            "archive_receive_disk_free_bytes",
            "Free bytes on a watched disk; below the reserve the ingester pauses.",
            ["disk"],
            registry=registry,
        )
        self.disk_reserve = Gauge(
            "archive_receive_disk_reserve_bytes",
            "The ingester pauses when a watched disk has fewer free bytes.",
            registry=registry,
        )
        self.gaps = Counter(
            "archive_receive_gaps_total",
            "Possible gaps, by reason; each is a row in the stream `gaps`.",
            ["reason"],
            registry=registry,
        )
        self.gap_seconds = Counter(
            "archive_receive_gap_seconds_total",
            "Seconds of event time in these gaps, without the one before the archive's start.",
            registry=registry,
        )
        self.events = Counter(
            "archive_validate_events_total",
            "Events that passed validation, by stream, repeats included.",
            ["stream"],
            registry=registry,
        )
        self.rejects = Counter(
            "archive_validate_rejects_total",
            "Frames rejected, by reason; a rise means that Jetstream changed or is faulty.",
            ["reason"],
            registry=registry,
        )
        self.duplicates = Counter(
            "archive_validate_duplicates_total",
            "Repeated events dropped by identity; rises after each reconnect.",
            registry=registry,
        )
        self.dedup_events = Gauge(
            "archive_validate_dedup_events", "Identities in the deduplication window.", registry=registry
        )
        self.dedup_evicted_by_size = Counter(
            "archive_validate_dedup_evicted_by_size_total",
            "Pushes evicted from the full deduplication window early; a long rewind may store events twice.",
            registry=registry,
        )
        self.pushed = Counter(
            "archive_buffer_pushed_total",
            "Elements pushed to Redis, by stream.",
            ["stream"],
            registry=registry,
        )
        self.latency = Histogram(
            "archive_buffer_latency_seconds",
            "Seconds from receipt of a frame to the reply of Redis, for the oldest frame of each push.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
            registry=registry,
        )
        self.resets = Counter(
            "archive_buffer_resets_total",
            "Restarts from the stored cursor after an error; a rise means an unstable Redis.",
            registry=registry,
        )
        self.memory_share = Gauge(
            "archive_buffer_memory_share",
            "Share of Redis' maxmemory in use; the ingester pauses above INGEST_PAUSE_PERCENT.",
            registry=registry,
        )
        for reason in DisconnectReason:
            self.reconnects.labels(reason)
        for gap_reason in GapReason:
            self.gaps.labels(gap_reason)
        for reject_reason in Reason:
            self.rejects.labels(reject_reason)
        for stream in Stream:
            self.pushed.labels(stream)
            self.events.labels(stream)

    def limits(self, look_back_seconds: float, quiet_seconds: float, reserve_mb: int) -> None:
        """Export the settings that other metrics are compared with."""
        self.look_back.set(look_back_seconds)
        self.quiet_limit.set(quiet_seconds)
        self.disk_reserve.set(reserve_mb * 1e6)

    def places(self, hosts: tuple[str, ...], disks: tuple[str, ...]) -> None:
        """Export every configured host and watched disk before the first connection."""
        for host in hosts:
            self.host.labels(host)
        for disk in disks:
            show_room(Path(disk), self.disk_free.labels(disk))
