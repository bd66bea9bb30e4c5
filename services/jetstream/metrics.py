"""Every metric the ingester exports, in one class; the help says what a rise means."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.jetstream.connection import DisconnectReason
from services.shared.event import GapReason, Reason, Stream
from services.shared.gauges import Since, Total, show_room


class IngesterMetrics:
    """receive, validate and buffer, as the ingester sees them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "archive_receive_connected",
            "1 while a Jetstream host is connected; 0 for long means a growing lag.",
            registry=registry,
        )
        self.host = Gauge(
            "archive_receive_host",
            "1 for the host in use; a change is a fail-over.",
            ["host"],
            registry=registry,
        )
        self.frames = Total(
            "archive_receive_frames", "Frames received, repeats included; flat means silence.", registry
        )
        self.bytes = Total("archive_receive_bytes", "Bytes of those frames.", registry)
        self.reconnects = Counter(
            "archive_receive_reconnects_total",
            "Connections that ended, by reason; a rise means an unsteady host.",
            ["reason"],
            registry=registry,
        )
        self.lag = Since(
            Gauge(
                "archive_receive_lag_seconds",
                "Clock minus time of the newest event received; falls while catching up.",
                registry=registry,
            )
        )
        self.cursor_age = Since(
            Gauge(
                "archive_receive_cursor_age_seconds",
                "Clock minus the stored cursor; beyond the look-back events are lost for good.",
                registry=registry,
            )
        )
        self.quiet = Since(
            Gauge(
                "archive_receive_quiet_seconds",
                "Clock minus the last frame, or the start; a rise means that every host is silent.",
                registry=registry,
            ),
            time.time(),
        )
        self.paused = Gauge(
            "archive_receive_paused",
            "1 while we do not receive on purpose: the buffer or a disk is nearly full.",
            registry=registry,
        )
        self.look_back = Gauge(
            "archive_receive_look_back_seconds",
            "How long the hosts keep events: the cursor's age must stay below.",
            registry=registry,
        )
        self.quiet_limit = Gauge(
            "archive_receive_quiet_limit_seconds", "A host silent for longer is left.", registry=registry
        )
        self.disk_free = Gauge(
            "archive_receive_disk_free_bytes",
            "Room left on a watched disk; below the reserve the ingester pauses.",
            ["disk"],
            registry=registry,
        )
        self.disk_reserve = Gauge(
            "archive_receive_disk_reserve_bytes",
            "Pause when a watched disk has less room than this.",
            registry=registry,
        )
        self.gaps = Counter(
            "archive_receive_gaps_total",
            "Holes that cannot be excluded, by reason; each is a row in `gaps`.",
            ["reason"],
            registry=registry,
        )
        self.gap_seconds = Counter(
            "archive_receive_gap_seconds_total",
            "Seconds of event time inside those holes (the archive start left out).",
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
            "Frames set aside, by reason; a rise means upstream changed or misbehaves.",
            ["reason"],
            registry=registry,
        )
        self.duplicates = Counter(
            "archive_validate_duplicates_total",
            "Repeats dropped by identity; rises after each reconnect.",
            registry=registry,
        )
        self.dedup_events = Gauge(
            "archive_validate_dedup_events", "Identities remembered to drop repeats.", registry=registry
        )
        self.dedup_evicted_by_size = Counter(
            "archive_validate_dedup_evicted_by_size_total",
            "Pushes whose identities were forgotten early for want of room; long rewinds may double.",
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
            "From receipt of a frame to Redis' acknowledgement, oldest of each push.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
            registry=registry,
        )
        self.resets = Counter(
            "archive_buffer_resets_total",
            "Times we began again from the stored cursor; a rise means an unsteady Redis.",
            registry=registry,
        )
        self.memory_share = Gauge(
            "archive_buffer_memory_share",
            "Part of Redis' maxmemory in use; pauses above the limit.",
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
        """Show the settings that other figures are to be compared with."""
        self.look_back.set(look_back_seconds)
        self.quiet_limit.set(quiet_seconds)
        self.disk_reserve.set(reserve_mb * 1e6)

    def places(self, hosts: tuple[str, ...], disks: tuple[str, ...]) -> None:
        """Show every host and watched disk there is to be, before the first connection."""
        for host in hosts:
            self.host.labels(host)
        for disk in disks:
            show_room(Path(disk), self.disk_free.labels(disk))
