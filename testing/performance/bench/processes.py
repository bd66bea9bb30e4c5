"""The feed as a child process, and the CPU and memory of another process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import psutil

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


MOST_BUSY = 0.8
"""Share of a core above which the feed may have been the bottleneck."""
EVERY_SECONDS = 0.02


class FeedProcess:
    """A feed of a file's first `events` frames on `url`, at a rate if one is given; a context manager."""

    def __init__(self, frames: Path, events: int, rate: float | None = None) -> None:
        words = [sys.executable, "-m", "testing.performance.bench.feed", str(frames), str(events)]
        if rate is not None:
            words.append(str(rate))
        self._process = subprocess.Popen(
            words, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self.control = ""

    def __enter__(self) -> Self:
        message = self._read()
        self.url = f"ws://127.0.0.1:{message['port']}"
        self.control = f"ws://127.0.0.1:{message['control']}" if "control" in message else ""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_connected(self) -> None:
        """Wait until a client has connected."""
        assert self._read()["connected"]

    def go(self) -> None:
        """Start sending."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def cpu(self) -> float:
        """Wait until it has sent everything; returns the CPU seconds of sending."""
        message = self._read()
        while "cpu" not in message:
            message = self._read()
        return float(message["cpu"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the feed has ended"
        message: dict[str, Any] = json.loads(line)
        return message


class ProcessUsage:
    """CPU seconds and sampled peak of resident memory of a process while inside."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._cpu_before = self._cpu()
        self.cpu = 0.0
        self.rss = 0

    def __enter__(self) -> Self:
        self._cpu_before = self._cpu()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu = self._cpu() - self._cpu_before
        self._ended.set()
        self._thread.join()

    def _cpu(self) -> float:
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def _sample(self) -> None:
        while True:
            self.rss = max(self.rss, int(self._process.memory_info().rss))
            if self._ended.wait(EVERY_SECONDS):
                return
