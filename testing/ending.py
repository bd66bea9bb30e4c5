"""SIGTERM ends a program of ours as Ctrl-C does: unwinding, so that the processes it started end with it.

And so does SIGINT where it would be ignored: a shell starts its background jobs deaf to it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def unwind_on_signals() -> None:
    """From now on SIGTERM and SIGINT raise KeyboardInterrupt in the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
