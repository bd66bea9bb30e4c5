"""The compactor: closed hours become one file a stream. Wires and runs; nothing else."""

from __future__ import annotations

import argparse
import os
import sys

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from services.compactor.compact import Compactor
from services.compactor.health import CompactorHealth
from services.compactor.metrics import CompactorMetrics
from services.compactor.settings import CompactorSettings
from services.compactor.turns import alone
from services.shared.errors import ArchiveError
from services.shared.lifecycle import stopping_on_signals
from services.shared.logs import start_logs
from services.shared.probes import serving
from services.shared.settings import SettingsError, load

MISCONFIGURED = 2
LOWEST_PRIORITY = 19


def main() -> int:
    """Run until stopped; the exit code is 0 then, 2 for unusable settings, 1 for worse."""
    parser = argparse.ArgumentParser(prog="compactor", description="Merges the files of closed hours.")
    parser.add_argument(
        "--once", action="store_true", help="merge all that is due, swap where no writer runs, stop"
    )
    parser.add_argument("--close-all", action="store_true", help="with --once: take every hour for closed")
    asked = parser.parse_args()
    if asked.close_all and not asked.once:
        parser.error("--close-all goes with --once only")
    try:
        settings = load(CompactorSettings, "COMPACT_")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before the logs are set up
        return MISCONFIGURED
    start_logs("compactor", settings.archive_log_level)
    log = structlog.get_logger()
    os.nice(LOWEST_PRIORITY)
    try:
        with stopping_on_signals() as stopping:
            registry = CollectorRegistry()
            health = CompactorHealth()
            compactor = Compactor(settings, CompactorMetrics(registry), health, stopping)
            with alone(settings.archive_root):
                if asked.once:
                    return int(not compactor.once(close_all=asked.close_all))
                ProcessCollector(registry=registry)
                with serving(settings.compact_port, registry, health) as port:
                    log.info("start", port=port, root=str(settings.archive_root))
                    compactor.run()
    except ArchiveError as error:
        # The message is the mend; a traceback would bury it.
        log.error("stop.broken", error=str(error), kind=type(error).__name__)  # noqa: TRY400 - see above
        return 1
    log.info("stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
