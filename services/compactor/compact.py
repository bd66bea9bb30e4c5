"""The loop: prepare what is due, count what every hour holds, empty the trash. Speaks no Redis.

`once` is the command's way: it also swaps, where no writer runs, and looks again until nothing is due.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

import structlog

from services.compactor.coverage import Coverage
from services.compactor.look import Look
from services.compactor.prepare import sweep
from services.compactor.release import release
from services.compactor.trash import purge
from services.shared.errors import BrokenInvariant, Transient
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.compactor.health import CompactorHealth
    from services.compactor.metrics import CompactorMetrics
    from services.compactor.settings import CompactorSettings
    from services.shared.lifecycle import Stopping

log = structlog.get_logger()


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Be the only compactor of an archive; the kernel gives the lock back however this process dies."""
    path = root / ".lock" / "compactor"
    try:
        path.parent.mkdir(exist_ok=True)
        file = path.open("a")
    except OSError as error:
        mend = f"mount the archive, and give the folder to user {os.getuid()}"
        raise BrokenInvariant(f"ARCHIVE_ROOT: {path.parent} cannot be written ({error}); {mend}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BrokenInvariant(
                f"another compactor works on {root}: wait for it, or stop it first"
            ) from error
        yield


class Compactor:
    """One archive's compaction."""

    def __init__(
        self,
        settings: CompactorSettings,
        metrics: CompactorMetrics,
        health: CompactorHealth,
        stopping: Stopping,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._root = settings.archive_root
        self._look = Look(settings, stopping, health.headway)
        self._coverage = Coverage(
            self._root, self._look.catalogue, int(settings.compact_after_minutes * 60e6)
        )

    def run(self) -> None:
        """Work until stopped."""
        until_done(self._sweep, self._stopping, self._failed)
        while not self._stopping:
            until_done(self._turn, self._stopping, self._failed)
            self._stopping.pause(self._settings.compact_every)

    def once(self, *, close_all: bool) -> bool:
        """Merge and swap until nothing is due, or somebody else has to act; whether nothing was refused.

        Raises Transient when the disk does not let us, BrokenInvariant when Redis cannot be asked.
        """
        self._sweep()
        while True:
            found = self._look(close_all=close_all)
            self._metrics.looked(found)
            released = release(self._root, self._settings.redis_address(), self._stopping)
            for stream, why in released.left.items():
                log.warning("compact.left", stream=stream, why=why)
            if self._stopping or found.postponed or not released.swapped:
                break
        self._coverage.refresh(time.time_ns() // 1000)
        return not (found.refused or found.postponed)

    def _sweep(self) -> None:
        try:
            swept = sweep(self._root)
        except OSError as error:
            raise Transient(f"cannot sweep the staging of {self._root}: {error}") from error
        log.info("compact.swept", hours=swept)

    def _turn(self) -> None:
        found = self._look()
        self._metrics.looked(found)
        self._coverage.refresh(time.time_ns() // 1000)
        purge(self._root, time.time() - self._settings.compact_trash_hours * 3600)
        self._health.headway(found.postponed)

    def _failed(self, error: Transient) -> None:
        self._health.trouble = str(error)
