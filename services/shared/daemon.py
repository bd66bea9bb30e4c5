"""Runs a daemon: settings, logs, signals and exit code."""

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
    """Load the settings and run `work`.

    Returns the exit code: that of `work`, 2 for invalid settings, 1 for an ArchiveError.
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
        # The message names the remedy; a traceback would hide it.
        log.error("stop.broken", error=str(error), kind=type(error).__name__)  # noqa: TRY400 - see above
        return BROKEN
    log.info("stop")
    return code
