"""The health service: asks Redis and both daemons whenever it is asked. Wires and runs; nothing else."""

from __future__ import annotations

import sys

import structlog

from services.monitoring.daemon_health import ask_daemon
from services.monitoring.question import Question
from services.monitoring.redis_health import ask_redis
from services.monitoring.serve import serving
from services.monitoring.settings import HealthSettings
from services.shared.lifecycle import stopping_on_signals
from services.shared.logs import start_logs
from services.shared.settings import SettingsError, load

MISCONFIGURED = 2
AN_HOUR = 3600.0


def main() -> int:
    """Run until stopped; the exit code is 0 then, 2 for unusable settings."""
    try:
        settings = load(HealthSettings, "HEALTH_")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before the logs are set up
        return MISCONFIGURED
    start_logs("health", settings.archive_log_level)
    log = structlog.get_logger()
    with stopping_on_signals() as stopping:
        questions = {
            "redis": Question(lambda: ask_redis(settings, stopping)),
            "jetstream": Question(lambda: ask_daemon(settings.health_jetstream_url)),
            "data_writer": Question(lambda: ask_daemon(settings.health_data_writer_url)),
        }
        with serving(settings.health_port, questions) as port:
            log.info("start", port=port)
            while not stopping.pause(AN_HOUR):
                continue
    log.info("stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
