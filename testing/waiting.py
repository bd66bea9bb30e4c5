"""Wait for a condition, with a deadline; never for a while in the hope that it holds by then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
BETWEEN_SECONDS = 0.05


def wait_for(condition: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """Return the first true answer of `condition`; raises TimeoutError, saying `what` did not come about.

    A callable tells of the end, not of the beginning.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(BETWEEN_SECONDS)
