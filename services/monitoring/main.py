"""The health service: checks Redis and both daemons on request. Wires and runs; nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from services.monitoring.health import Check, check_daemon, check_redis, serving
from services.monitoring.settings import HealthSettings
from services.shared import daemon

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping

AN_HOUR = 3600.0


def main() -> int:
    """Run until stopped; returns the exit code."""
    return daemon.run("health", HealthSettings, "HEALTH_", serve)


def serve(settings: HealthSettings, stopping: Stopping) -> int:
    """Serve health checks until stopped."""
    checks = {
        "redis": Check(lambda: check_redis(settings, stopping)),
        "jetstream": Check(lambda: check_daemon(settings.health_jetstream_url)),
        "data_writer": Check(lambda: check_daemon(settings.health_data_writer_url)),
    }
    with serving(settings.health_port, checks) as port:
        structlog.get_logger().info("start", port=port)
        while not stopping.sleep(AN_HOUR):
            continue
    return daemon.DONE


if __name__ == "__main__":
    sys.exit(main())
