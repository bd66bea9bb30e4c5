"""What stands around every daemon's work: settings, logs, signals, and what the exit code says of the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from services.shared.errors import ArchiveError
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.settings import Kind, SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.shared.lifecycle import Stopping

DONE, BROKEN, MISCONFIGURED = 0, 1, 2


def run(name: str, kind: type[Kind], prefix: str, work: Callable[[Kind, Stopping], int]) -> int:
    """Load the settings and work until stopped.

    Returns the exit code: what `work` returns, 2 for unusable settings, 1 for one of our own errors.
    """
    try:
        settings = load(kind, prefix)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before the logs are set up
        return MISCONFIGURED
    start_logs(name, settings.archive_log_level)
    log = structlog.get_logger()
    try:
        with stopping_on_signals() as stopping:
            code = work(settings, stopping)
    except ArchiveError as error:
        # The message is the mend; a traceback would bury it.
        log.error("stop.broken", error=str(error), kind=type(error).__name__)  # noqa: TRY400 - see above
        return BROKEN
    log.info("stop")
    return code
