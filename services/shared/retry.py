"""The back-off of every retry: full jitter, doubling from 0.25 to 30 seconds, reset on success."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import structlog
import tenacity

from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.shared.lifecycle import Stopping

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 30.0
log = structlog.get_logger()
T = TypeVar("T")


def back_off(attempt: int, rng: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after `attempt` failures in a row (at least 1), with full jitter."""
    return rng() * min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))


def until_done(work: Callable[[], T], stopping: Stopping, failed: Callable[[Transient], None]) -> T | None:
    """Repeat `work` while it raises Transient, with back-off; return its result, or None when stopping.

    `failed` is called with each Transient. Any other error is raised.
    """

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, Transient)  # noqa: S101 - retry_if_exception_type lets nothing else through
        log.warning(
            "retry", error=str(error), attempt=state.attempt_number, seconds=round(state.upcoming_sleep, 2)
        )
        failed(error)

    def pause(seconds: float) -> None:
        stopping.sleep(seconds)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Transient),
        wait=lambda state: back_off(state.attempt_number),
        stop=lambda _state: bool(stopping),
        sleep=pause,
        before_sleep=note,
        retry_error_callback=lambda _state: None,
    )
    # No further attempt after a stop that ended the wait.
    return retrying(lambda: None if stopping else work())
