"""Finds the hours that are closed and due, and prepares them one by one for the swap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import Catalog, File, read_note
from services.archive.checkpoints import watermark_us
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import hour_directory, hour_text
from services.compactor.job import Job, merge_limits
from services.compactor.plan import Due, Hour, PlanRules, due, overlaps, planned
from services.compactor.postponed import PostponeCheck
from services.compactor.prepare import compare, is_prepared, prepare
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.compactor.settings import CompactorSettings
    from services.shared.lifecycle import Stopping

FOREVER_US = 2**62
"""A watermark later than every hour: `--close-all`."""

log = structlog.get_logger()


@dataclass
class CompactionReport:
    """The result of one round."""

    prepared: int = 0
    """Hours that were prepared and wait for their swap."""
    duplicates: int = 0
    """Duplicate rows that their merges removed."""
    compared: int = 0
    """Merged hours that were compared again and held no duplicates."""
    refused: int = 0
    """Hours with a file that is damaged or not of this archive."""
    postponed: str = ""
    """Why the remaining hours wait; empty when none remains."""
    error: str = ""
    """The same, where a person has to act."""


class HourCompactor:
    """Prepares the hours that are due; the streams' owners swap them."""

    def __init__(self, settings: CompactorSettings, stopping: Stopping, progress: Callable[[], None]) -> None:
        self._root = settings.archive_root
        self.postpone_check = PostponeCheck(settings)
        self._stopping = stopping
        self._progress = progress
        self._rules = PlanRules(int(settings.compact_after_minutes * 60e6), settings.compact_neighbours)
        self._limits = merge_limits(settings)
        self._look_back_us = int(settings.archive_look_back_hours * 3600e6)
        self.catalog = Catalog(self._root)
        self._logged: set[str] = set()

    def run(self, *, close_all: bool = False) -> CompactionReport:
        """Prepare all hours that are due. Raises Transient when the disk fails.

        With COMPACT_MEMORY_MB=0 none is due: coverage, retention and the purge run all the same.
        """
        report = CompactionReport()
        if not self._limits.memory_mb:
            return report
        watermark = FOREVER_US if close_all else watermark_us(self._root)
        for stream in Stream:
            for job, is_merged in self._jobs(stream, watermark, report):
                if self._stopping:
                    return report
                postponed = self.postpone_check(job)
                if postponed:
                    log.warning("compact.postponed", why=postponed.why)
                    report.postponed = postponed.why
                    report.error = postponed.why if postponed.is_error else ""
                    return report
                report.postponed = report.error = ""
                self._compact(job, report, is_merged=is_merged)
                self._progress()
        return report

    def _jobs(self, stream: Stream, watermark: int, report: CompactionReport) -> Iterator[tuple[Job, bool]]:
        names = self.catalog.names(stream)
        self.catalog.prune(stream, names)
        files: dict[int, tuple[File, ...]] = {}
        hours: dict[int, Hour] = {}
        for hour, listed in names.items():
            try:
                files[hour] = self.catalog.files(stream, hour, listed)
                hours[hour] = planned(hour, files[hour], read_note(self._root, stream, hour))
            except FileNotFoundError:
                continue  # it was just replaced; the next round lists it again
            except (DamagedFile, UnreadableFile) as error:
                report.refused += 1
                self._log_once(str(error))
        ranges = overlaps(
            (source for known in files.values() for file in known for source in file.sources),
            self._look_back_us,
        )
        for one in due(hours, watermark, self._rules, ranges):
            if not is_prepared(self._root, stream, one.hour):
                yield self._job(stream, one, files, hours), one.is_merged

    def _job(
        self, stream: Stream, one: Due, files: dict[int, tuple[File, ...]], hours: dict[int, Hour]
    ) -> Job:
        against = frozenset[str]().union(*(hours[hour].chunks for hour in one.against))
        return Job(
            stream=stream,
            hour=one.hour,
            directory=hour_directory(self._root, stream, one.hour),
            files=files[one.hour],
            earlier=tuple(
                hour_directory(self._root, stream, hour) / file.name
                for hour in one.against
                for file in files[hour]
            ),
            compared=against | hours[one.hour].compared,
        )

    def _compact(self, job: Job, report: CompactionReport, *, is_merged: bool) -> None:
        try:
            if is_merged and not compare(self._root, job, self._limits):
                report.compared += 1
                return
            manifest = prepare(self._root, job, self._limits)
            report.prepared += 1
            report.duplicates += int(manifest.report["duplicates"])
        except (BrokenInvariant, DamagedFile) as error:
            report.refused += 1
            self._log_once(str(error))
        except Transient as error:
            # Most likely a file was replaced while it was read; the next round reads the new ones.
            log.warning("compact.retry", hour=hour_text(job.hour), stream=job.stream, error=str(error))
            report.postponed = report.error = str(error)

    def _log_once(self, error: str) -> None:
        if error not in self._logged:
            self._logged.add(error)
            log.error("compact.refused", error=error)
