"""Wait for a condition, with a deadline; tests do not sleep for fixed times."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
BETWEEN_SECONDS = 0.05
TIMEOUT_FACTOR = 3.0 if os.environ.get("CI") == "true" else 1.0
"""In CI several test tiers share a machine. A deadline ends a test that hangs; it does not judge speed."""


def wait_for(condition: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """Return the first true value of `condition`; raises TimeoutError after `seconds` * TIMEOUT_FACTOR.

    `what` is the condition in words; a callable is evaluated when the time is up.
    """
    deadline = time.monotonic() + seconds * TIMEOUT_FACTOR
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"not within {seconds * TIMEOUT_FACTOR:g} s: {what if isinstance(what, str) else what()}"
            )
        time.sleep(BETWEEN_SECONDS)
