"""SIGTERM ends a program of ours as Ctrl-C does: unwinding, so that the processes it started end with it.

And so does SIGINT where it would be ignored: a shell starts its background jobs deaf to it.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


INTERRUPTED = 128 + signal.SIGINT
"""The exit status of a program that Ctrl-C has ended."""


def as_program(main: Callable[[list[str]], int]) -> int:
    """Run a program on its command line; Ctrl-C and SIGTERM end it with a sentence and no traceback."""
    unwind_on_signals()
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted; everything it started is ended, and nothing is judged.", file=sys.stderr)
        return INTERRUPTED


def unwind_on_signals() -> None:
    """From now on SIGTERM and SIGINT raise KeyboardInterrupt in the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
