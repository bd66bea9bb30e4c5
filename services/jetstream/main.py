"""The ingester: receive, validate, buffer. Wires its parts together and runs them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from services.jetstream.health import IngesterHealth
from services.jetstream.ingest import Ingest
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import frame_opener
from services.shared import daemon
from services.shared.probes import serving

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping

SWITCH_SECONDS = 0.0005
"""How long the pushing thread waits for the interpreter: Python's 5 ms cost a seventh of the throughput."""


def main() -> int:
    """Run until stopped; return the exit code."""
    return daemon.run("jetstream", IngesterSettings, "INGEST_", ingest)


def ingest(settings: IngesterSettings, stopping: Stopping) -> int:
    """Serve the probes and ingest until stopped."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = IngesterMetrics(registry)
    look_back_seconds = settings.archive_look_back_hours * 3600
    metrics.limits(look_back_seconds, settings.idle_seconds, settings.archive_disk_free_min_mb)
    metrics.places(settings.ingest_hosts, settings.ingest_watch_disks)
    health = IngesterHealth(settings.idle_seconds)
    with serving(settings.ingest_port, registry, health) as port:
        structlog.get_logger().info("start", port=port, hosts=settings.ingest_hosts)
        open_frame = frame_opener(settings)
        sys.setswitchinterval(SWITCH_SECONDS)
        uvloop.run(Ingest(settings, metrics, health, stopping, open_frame).run())
    return daemon.DONE


if __name__ == "__main__":
    sys.exit(main())
