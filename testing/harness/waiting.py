"""Wait for a condition, with a deadline; never for a while in the hope that it holds by then."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
BETWEEN_SECONDS = 0.05
PATIENCE = 3.0 if os.environ.get("CI") == "true" else 1.0
"""Tiers share a machine and its disk there; a deadline ends what hangs, and judges nobody's speed."""


def wait_for(condition: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """Return the first true answer of `condition`; raises TimeoutError, saying `what` did not come about.

    `seconds` is for a machine of its own. A callable tells of the end, not of the beginning.
    """
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"waited {seconds * PATIENCE:g} s in vain: {what if isinstance(what, str) else what()}"
            )
        time.sleep(BETWEEN_SECONDS)
