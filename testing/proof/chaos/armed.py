"""Runs a daemon that kills itself (SIGKILL) at a crash point: arguments POINT, NTH, MODULE and its own."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from services.shared.crash_points import CrashPoint, armed


class Killer:
    """Kills this process when it reaches `point` for the `nth` time (from 1)."""

    def __init__(self, point: CrashPoint, nth: int) -> None:
        self._point = point
        self._left = nth

    def __call__(self, reached: CrashPoint) -> None:
        """Count a crash point that is reached, and die at the `nth`."""
        if reached is self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(words: list[str]) -> int:
    """Run the daemon; returns its exit code if it was not killed."""
    point, nth, module, *arguments = words
    sys.argv = [module, *arguments]
    with armed(Killer(CrashPoint(point), int(nth))):
        return int(importlib.import_module(module).main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
