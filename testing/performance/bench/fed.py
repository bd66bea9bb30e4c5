"""The feed as a child process: started, told to send, and asked whether it was the bottleneck."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

MOST_BUSY = 0.8
"""A feed that used more of a core than this while its client received may have been what held it up."""


class Fed:
    """While entered: a feed of a file's first `events` frames, on `url`; with a rate, so many a second."""

    def __init__(self, frames: Path, events: int, rate: float | None = None) -> None:
        words = [sys.executable, "-m", "testing.performance.bench.feed", str(frames), str(events)]
        if rate is not None:
            words = [
                sys.executable,
                "-m",
                "testing.performance.bench.paced",
                str(frames),
                str(events),
                str(rate),
            ]
        self._process = subprocess.Popen(
            words, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self.control = ""

    def __enter__(self) -> Self:
        said = self._said()
        self.url = f"ws://127.0.0.1:{said['port']}"
        self.control = f"ws://127.0.0.1:{said['control']}" if "control" in said else ""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait_connected(self) -> None:
        """Wait until a client has come."""
        assert self._said()["connected"]

    def go(self) -> None:
        """Let it send."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def cpu(self) -> float:
        """Return how many CPU seconds its sending took; to be asked once it has sent all."""
        said = self._said()
        while "cpu" not in said:
            said = self._said()
        return float(said["cpu"])

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the feed has ended by itself"
        said: dict[str, Any] = json.loads(line)
        return said
