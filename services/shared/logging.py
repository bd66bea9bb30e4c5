"""Configures structlog: readable lines on a terminal, JSON otherwise, always on stderr.

Levels: debug per chunk, info per batch, warning for a retry or backpressure, error for what
a person must fix. Nothing is logged per event.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

import structlog

from services.shared.version import VERSION

if TYPE_CHECKING:
    from structlog.typing import EventDict


def start_logs(service: str, level: str) -> None:
    """Configure structlog for this process; every line has the service's name and version."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            partial(_name, service),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if terminal else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


class LogOnce:
    """Logs an error once, although every round meets it again."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def __call__(self, event: str, error: str) -> None:
        """Log this error unless it was logged before."""
        if (event, error) not in self._logged:
            self._logged.add((event, error))
            structlog.get_logger().error(event, error=error)


def _name(service: str, _: object, __: str, line: EventDict) -> EventDict:
    """Add service and version to a line of any thread."""
    return {**line, "service": service, "version": VERSION}
