"""The compactor's loop: prepare hours, retention, deletions, coverage, purge. It does not speak to Redis.

`once` serves `--once` and `archive compact`: it also swaps, where no writer runs, until nothing is due.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import StreamHour
from services.archive.checkpoints import watermark_us
from services.archive.locks import compactor_pass
from services.compactor.coverage import Coverage
from services.compactor.deletions.apply import Deletions
from services.compactor.hour_compactor import FOREVER_US, HourCompactor
from services.compactor.offline_swap import offline_swap
from services.compactor.plan import closed_before
from services.compactor.prepare import sweep
from services.compactor.retention import purge, retire
from services.shared.errors import BrokenInvariant, Transient
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.compactor.deletions.apply import DeletionReport
    from services.compactor.health import CompactorHealth
    from services.compactor.hour_compactor import CompactionReport
    from services.compactor.metrics import CompactorMetrics
    from services.compactor.settings import CompactorSettings
    from services.shared.lifecycle import Stopping

log = structlog.get_logger()


class Compactor:
    """Compacts one archive."""

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
        self._hours = HourCompactor(settings, stopping, health.progress)
        self._deletions = Deletions(settings, self._hours, stopping, health.progress)
        self._coverage = Coverage(self._root, self._hours.catalog, self._after_us, self._hours.log_once)

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            until_done(self._round, self._stopping, self._failed)
            self._stopping.sleep(self._settings.compact_every)

    def once(self, *, close_all: bool) -> bool:
        """Merge and swap until nothing is due or somebody else has to act; return whether all was merged.

        Raises Transient when the disk fails, BrokenInvariant when Redis cannot be asked.
        """
        with compactor_pass(self._root) as may_pass:
            if not may_pass:
                raise BrokenInvariant(
                    f"another command is changing {self._root}: run this again when it has ended"
                )
            self._sweep()
            while True:
                report = self._compact(close_all=close_all)
                self._retire()
                watermark = FOREVER_US if close_all else watermark_us(self._root)
                postponed = report.postponed or self._apply_deletions(watermark, at_once=True).postponed
                swaps = offline_swap(self._root, self._settings.redis_address(), self._stopping)
                for stream, why in swaps.not_swapped.items():
                    log.warning("compact.not_swapped", stream=stream, why=why)
                if self._stopping or postponed or not swaps.swapped:
                    break
            self._coverage.refresh(time.time_ns() // 1000)
        return not (report.refused or postponed)

    def _sweep(self) -> None:
        try:
            swept = sweep(self._root)
        except OSError as error:
            raise Transient(f"cannot sweep the staging of {self._root}: {error}") from error
        log.info("compact.swept", entries=swept)

    def _round(self) -> None:
        with compactor_pass(self._root) as may_pass:
            if may_pass:
                self._work()
            else:
                log.info("compact.locked", why="another command is changing the archive")
                self._health.progress()

    def _work(self) -> None:
        """Do every task once; one that fails does not keep the others from being done. Raises Transient."""
        if not self._is_swept:
            self._sweep()
            self._is_swept = True
        error, failures, refused = "", list[Transient](), set[StreamHour]()
        with _failing_into(failures):
            self._retire()
        with _failing_into(failures):
            report = self._compact()
            refused |= report.refused
            error = report.error
            if not report.postponed:
                error = self._apply_deletions(watermark_us(self._root)).error
        with _failing_into(failures):
            refused |= self._coverage.refresh(time.time_ns() // 1000).damaged
        with _failing_into(failures):
            purge(self._root, time.time() - self._settings.compact_replaced_hours * 3600)
        self._metrics.set_refused(len(refused))
        if failures:
            raise failures[0]
        self._health.progress(error)

    def _compact(self, *, close_all: bool = False) -> CompactionReport:
        report = self._hours.run(close_all=close_all)
        self._metrics.count_merged(report.prepared, report.duplicates)
        return report

    def _apply_deletions(self, watermark: int, *, at_once: bool = False) -> DeletionReport:
        first_open = closed_before(watermark, self._after_us)
        report = self._deletions.run(first_open, time.time_ns() // 1000, at_once=at_once)
        self._metrics.count_deleted(report.rows)
        return report

    def _retire(self) -> None:
        if self._settings.archive_retention_days is not None:
            now_us = time.time_ns() // 1000
            retire(self._root, self._hours.catalog, self._settings.archive_retention_days, now_us)

    def _failed(self, error: Transient) -> None:
        self._health.last_error = str(error)


@contextlib.contextmanager
def _failing_into(failures: list[Transient]) -> Iterator[None]:
    try:
        yield
    except Transient as error:
        failures.append(error)
