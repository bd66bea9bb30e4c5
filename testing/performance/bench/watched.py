"""CPU and memory of another process, from outside."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from types import TracebackType

EVERY_SECONDS = 0.02


class Watched:
    """While entered: the CPU seconds that the process uses, and its peak of resident memory as sampled."""

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
