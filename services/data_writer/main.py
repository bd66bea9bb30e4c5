"""The writer: claim, encode, commit. Wires and runs; nothing else."""

from __future__ import annotations

import argparse
import sys

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from services.data_writer.dry_run import dry_run
from services.data_writer.health import WriterHealth
from services.data_writer.metrics import WriterMetrics
from services.data_writer.ownership import owning
from services.data_writer.settings import WriterSettings
from services.data_writer.write import Writer
from services.shared.errors import ArchiveError
from services.shared.lifecycle import stopping_on_signals
from services.shared.logs import start_logs
from services.shared.probes import serving
from services.shared.settings import SettingsError, load

MISCONFIGURED = 2


def main() -> int:
    """Run until stopped; the exit code is 0 then, 2 for unusable settings, 1 for worse."""
    parser = argparse.ArgumentParser(prog="data_writer", description="Commits what Redis holds to Parquet.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--once", action="store_true", help="commit all that is waiting now, then stop")
    kind.add_argument(
        "--dry-run", action="store_true", help="show what is waiting and how small it would get"
    )
    asked = parser.parse_args()
    try:
        settings = load(WriterSettings, "WRITER_")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before the logs are set up
        return MISCONFIGURED
    start_logs("data_writer", settings.archive_log_level)
    log = structlog.get_logger()
    registry = CollectorRegistry()
    health = WriterHealth()
    try:
        with stopping_on_signals() as stopping:
            if asked.dry_run:
                print(dry_run(settings, stopping))  # noqa: T201 - for the person who asked
                return 0
            ProcessCollector(registry=registry)
            metrics = WriterMetrics(registry, settings.streams)
            interval_seconds = min(settings.writer_interval, settings.writer_max_age)
            metrics.limits(interval_seconds, settings.archive_root, settings.archive_disk_free_min_mb)
            with (
                owning(settings.archive_root, settings.streams),
                serving(settings.writer_port, registry, health) as port,
            ):
                log.info("start", port=port, root=str(settings.archive_root), streams=settings.streams)
                Writer(settings, metrics, health, stopping).run(once=asked.once)
    except ArchiveError as error:
        # The message is the mend; a traceback would bury it.
        log.error("stop.broken", error=str(error), kind=type(error).__name__)  # noqa: TRY400 - see above
        return 1
    log.info("stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
