"""The writer's program: claim, encode, commit. Parses arguments, connects the parts and runs them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from services.archive.locks import owning
from services.data_writer.dry_run import dry_run
from services.data_writer.health import WriterHealth
from services.data_writer.metrics import WriterMetrics
from services.data_writer.settings import WriterSettings
from services.data_writer.writer import Writer
from services.shared import daemon
from services.shared.probes import serving

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping


def main() -> int:
    """Run until stopped, once, or as a dry run; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="data_writer", description="Writes the events in Redis to Parquet files."
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--once", action="store_true", help="commit the events that are waiting now, then stop")
    kind.add_argument(
        "--dry-run", action="store_true", help="print what is waiting and the size of its Parquet files"
    )
    arguments = parser.parse_args()

    def work(settings: WriterSettings, stopping: Stopping) -> int:
        if arguments.dry_run:
            print(dry_run(settings, stopping))  # noqa: T201 - the output of the command
        else:
            write(settings, stopping, once=arguments.once)
        return daemon.DONE

    return daemon.run("data_writer", WriterSettings, "WRITER_", work)


def write(settings: WriterSettings, stopping: Stopping, *, once: bool) -> None:
    """Take the streams' locks, serve `/metrics` and `/healthz`, and write until stopped."""
    # Arrow's own pool keeps freed memory: 50 MB more at the peak.
    pa.set_memory_pool(pa.system_memory_pool())
    registry = CollectorRegistry()
    health = WriterHealth()
    ProcessCollector(registry=registry)
    metrics = WriterMetrics(registry, settings.streams)
    interval_seconds = min(settings.writer_interval, settings.writer_max_age)
    metrics.limits(interval_seconds, settings.archive_root, settings.archive_disk_free_min_mb)
    with (
        owning(settings.archive_root, settings.streams),
        serving(settings.writer_port, registry, health) as port,
    ):
        structlog.get_logger().info(
            "start", port=port, root=str(settings.archive_root), streams=settings.streams
        )
        Writer(settings, metrics, health, stopping).run(once=once)


if __name__ == "__main__":
    sys.exit(main())
