"""The health service: asks Redis and both daemons whenever it is asked. Wires and runs; nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from services.monitoring.daemon_health import ask_daemon
from services.monitoring.question import Question
from services.monitoring.redis_health import ask_redis
from services.monitoring.serve import serving
from services.monitoring.settings import HealthSettings
from services.shared import daemon

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping

AN_HOUR = 3600.0


def main() -> int:
    """Run until stopped; returns the exit code."""
    return daemon.run("health", HealthSettings, "HEALTH_", answer)


def answer(settings: HealthSettings, stopping: Stopping) -> int:
    """Answer until stopped."""
    questions = {
        "redis": Question(lambda: ask_redis(settings, stopping)),
        "jetstream": Question(lambda: ask_daemon(settings.health_jetstream_url)),
        "data_writer": Question(lambda: ask_daemon(settings.health_data_writer_url)),
    }
    with serving(settings.health_port, questions) as port:
        structlog.get_logger().info("start", port=port)
        while not stopping.sleep(AN_HOUR):
            continue
    return daemon.DONE


if __name__ == "__main__":
    sys.exit(main())
