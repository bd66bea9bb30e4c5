"""Entry point of the compactor: parses arguments, wires the parts and runs them."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from services.archive.locks import compactor_lock
from services.compactor.health import CompactorHealth
from services.compactor.loop import Compactor
from services.compactor.metrics import CompactorMetrics
from services.compactor.settings import CompactorSettings
from services.shared import daemon
from services.shared.probes import serving

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping

LOWEST_PRIORITY = 19


def main() -> int:
    """Run the daemon until it is stopped, or a single run with `--once`; return the exit code."""
    parser = argparse.ArgumentParser(prog="compactor", description="Merges the files of closed hours.")
    parser.add_argument(
        "--once", action="store_true", help="merge all that is due, swap where no writer runs, exit"
    )
    parser.add_argument("--close-all", action="store_true", help="with --once: treat every hour as closed")
    arguments = parser.parse_args()
    if arguments.close_all and not arguments.once:
        parser.error("--close-all goes with --once only")

    def work(settings: CompactorSettings, stopping: Stopping) -> int:
        os.nice(LOWEST_PRIORITY)
        registry = CollectorRegistry()
        health = CompactorHealth()
        compactor = Compactor(settings, CompactorMetrics(registry), health, stopping)
        with compactor_lock(settings.archive_root):
            if arguments.once:
                is_complete = compactor.once(close_all=arguments.close_all)
                return daemon.DONE if is_complete else daemon.BROKEN
            ProcessCollector(registry=registry)
            with serving(settings.compact_port, registry, health) as port:
                structlog.get_logger().info("start", port=port, root=str(settings.archive_root))
                compactor.run()
        return daemon.DONE

    return daemon.run("compactor", CompactorSettings, "COMPACT_", work)


if __name__ == "__main__":
    sys.exit(main())
