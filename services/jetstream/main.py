"""The ingester: receive, validate, buffer. Wires and runs; nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from services.jetstream.dictionary import Decompressor, load_dictionary
from services.jetstream.health import IngesterHealth
from services.jetstream.ingest import Ingest
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.settings import IngesterSettings
from services.shared.errors import ArchiveError
from services.shared.lifecycle import stopping_on_signals
from services.shared.logs import start_logs
from services.shared.probes import serving
from services.shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Callable

MISCONFIGURED = 2


def main() -> int:
    """Run until stopped; the exit code is 0 then, 2 for unusable settings, 1 for worse."""
    try:
        settings = load(IngesterSettings, "INGEST_")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before the logs are set up
        return MISCONFIGURED
    start_logs("jetstream", settings.archive_log_level)
    log = structlog.get_logger()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = IngesterMetrics(registry)
    look_back_seconds = settings.archive_look_back_hours * 3600
    metrics.limits(look_back_seconds, settings.idle_seconds, settings.archive_disk_free_min_mb)
    metrics.places(settings.ingest_hosts, settings.ingest_watch_disks)
    health = IngesterHealth(settings.idle_seconds)
    try:
        with stopping_on_signals() as stopping, serving(settings.ingest_port, registry, health) as port:
            log.info("start", port=port, hosts=settings.ingest_hosts)
            open_frame: Callable[[bytes], bytes] = bytes
            if settings.ingest_compress:
                dictionary = load_dictionary(settings.ingest_dictionary)
                open_frame = Decompressor(dictionary, settings.ingest_max_event_bytes).open
            ingest = Ingest(settings, metrics, health, stopping, open_frame)
            uvloop.run(ingest.run())
    except ArchiveError as error:
        # The message is the mend; a traceback would bury it.
        log.error("stop.broken", error=str(error), kind=type(error).__name__)  # noqa: TRY400 - see above
        return 1
    log.info("stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
