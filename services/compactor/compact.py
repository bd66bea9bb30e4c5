"""The loop: prepare what is due, apply deletions, count what every hour holds, empty the trash. No Redis.

`once` is the command's way: it also swaps, where no writer runs, and looks again until nothing is due.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from services.archive.turns import turn
from services.compactor.apply import Deletions
from services.compactor.coverage import Coverage
from services.compactor.look import FOREVER_US, Look, watermark_us
from services.compactor.plan import closed_before
from services.compactor.prepare import sweep
from services.compactor.release import release
from services.compactor.retention import retire
from services.compactor.trash import purge
from services.shared.errors import BrokenInvariant, Transient
from services.shared.retry import until_done

if TYPE_CHECKING:
    from services.compactor.apply import Applied
    from services.compactor.health import CompactorHealth
    from services.compactor.metrics import CompactorMetrics
    from services.compactor.settings import CompactorSettings
    from services.shared.lifecycle import Stopping

log = structlog.get_logger()


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
        self._is_swept = False
        self._after_us = int(settings.compact_after_minutes * 60e6)
        self._look = Look(settings, stopping, health.progress)
        self._deletions = Deletions(settings, self._look, stopping, health.progress)
        self._coverage = Coverage(self._root, self._look.catalog, self._after_us)

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            until_done(self._turn, self._stopping, self._failed)
            self._stopping.sleep(self._settings.compact_every)

    def once(self, *, close_all: bool) -> bool:
        """Merge and swap until nothing is due, or somebody else has to act; whether nothing was refused.

        Raises Transient when the disk does not let us, BrokenInvariant when Redis cannot be asked.
        """
        with turn(self._root) as is_mine:
            if not is_mine:
                raise BrokenInvariant(
                    f"another command is changing {self._root}: run this again when it has ended"
                )
            self._sweep()
            while True:
                found = self._look(close_all=close_all)
                self._metrics.looked(found)
                self._retire()
                passed_us = FOREVER_US if close_all else watermark_us(self._root)
                postponed = found.postponed or self._apply(passed_us, at_once=True).postponed
                released = release(self._root, self._settings.redis_address(), self._stopping)
                for stream, why in released.left.items():
                    log.warning("compact.left", stream=stream, why=why)
                if self._stopping or postponed or not released.swapped:
                    break
            self._coverage.refresh(time.time_ns() // 1000)
        return not (found.refused or postponed)

    def _sweep(self) -> None:
        try:
            swept = sweep(self._root)
        except OSError as error:
            raise Transient(f"cannot sweep the staging of {self._root}: {error}") from error
        log.info("compact.swept", hours=swept)

    def _turn(self) -> None:
        with turn(self._root) as is_mine:
            if is_mine:
                self._work()
            else:
                log.info("compact.waits", why="another command is changing the archive")
                self._health.progress()

    def _work(self) -> None:
        if not self._is_swept:
            self._sweep()
            self._is_swept = True
        found = self._look()
        self._metrics.looked(found)
        self._retire()
        trouble = found.trouble
        if not found.postponed:
            trouble = self._apply(watermark_us(self._root)).trouble
        self._coverage.refresh(time.time_ns() // 1000)
        purge(self._root, time.time() - self._settings.compact_trash_hours * 3600)
        self._health.progress(trouble)

    def _apply(self, passed_us: int, *, at_once: bool = False) -> Applied:
        still_open = closed_before(passed_us, self._after_us)
        applied = self._deletions.turn(still_open, time.time_ns() // 1000, at_once=at_once)
        self._metrics.applied(applied)
        return applied

    def _retire(self) -> None:
        if self._settings.archive_retention_days is not None:
            now_us = time.time_ns() // 1000
            retire(self._root, self._look.catalog, self._settings.archive_retention_days, now_us)

    def _failed(self, error: Transient) -> None:
        self._health.trouble = str(error)
