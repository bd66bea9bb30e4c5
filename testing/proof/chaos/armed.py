"""Run a daemon that is killed (SIGKILL) at a crash point: arguments are POINT, NTH and MODULE."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from services.shared.crash_points import CrashPoint, armed


class Death:
    """Kills this process the `nth` time (from 1) that it comes to `point`."""

    def __init__(self, point: CrashPoint, nth: int) -> None:
        self._point = point
        self._left = nth

    def __call__(self, reached: CrashPoint) -> None:
        """Count a moment that has come."""
        if reached is self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(words: list[str]) -> int:
    """Run a daemon under arms; returns its exit code, if it lives."""
    point, nth, module, *arguments = words
    sys.argv = [module, *arguments]
    with armed(Death(CrashPoint(point), int(nth))):
        return int(importlib.import_module(module).main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
