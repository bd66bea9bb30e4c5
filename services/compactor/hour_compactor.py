"""Finds the hours that are closed and due, and prepares them one by one for the swap."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import HOURS_A_DAY, Catalog, File, StreamHour, read_note
from services.archive.checkpoints import watermark_us
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import hour_directory, hour_of, hour_text
from services.compactor.job import Job, merge_limits
from services.compactor.plan import Due, Hour, PlanRules, closed_before, due, overlaps, planned
from services.compactor.postponed import PostponeCheck
from services.compactor.prepare import compare, is_prepared, prepare
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.logging import LogOnce

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
    refused: set[StreamHour] = field(default_factory=set)
    """Hours with a file that is damaged or not of this archive."""
    postponed: str = ""
    """Why the remaining hours wait; empty when none remains."""
    error: str = ""
    """The same, where a person has to act."""


@dataclass
class _LoadedDay:
    """The footers of a stream's day, and what planning takes from them."""

    files: dict[int, tuple[File, ...]] = field(default_factory=dict)
    hours: dict[int, Hour] = field(default_factory=dict)
    refused: set[StreamHour] = field(default_factory=set)
    is_complete: bool = True
    """Whether every file of the day could be read."""


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
        reach_hours = max(settings.compact_neighbours, math.ceil(settings.archive_look_back_hours) + 1)
        self._reach_days = math.ceil(reach_hours / HOURS_A_DAY)
        self._done: dict[Stream, dict[int, int]] = {stream: {} for stream in Stream}
        """Token of each day in which nothing was due: nothing can be until it, or a day near it, changes."""
        self.log_once = LogOnce()

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
        """Yield the merges that are due, each with whether its hour is merged already.

        Plans only the days that changed since nothing was due in them, and the days near them: their hours
        are compared with each other.
        """
        tokens, done = self.catalog.days(stream), self._done[stream]
        changed = {day for day in tokens.keys() | done.keys() if tokens.get(day) != done.get(day)}
        concerned = {near for day in changed for near in self._near(day)}
        for day in concerned:
            done.pop(day, None)
        first_open = closed_before(watermark, self._rules.after_us)
        loaded: dict[int, _LoadedDay] = {}
        for day in sorted(concerned & tokens.keys()):
            loaded = {
                near: loaded[near] if near in loaded else self._load(stream, near)
                for near in self._near(day)
                if near in tokens
            }
            report.refused |= loaded[day].refused
            files = {hour: known for one in loaded.values() for hour, known in one.files.items()}
            hours = {hour: planned for one in loaded.values() for hour, planned in one.hours.items()}
            sources = (source for known in files.values() for file in known for source in file.sources)
            among = range(day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)
            found = due(hours, watermark, self._rules, overlaps(sources, self._look_back_us), among)
            for one in found:
                if not is_prepared(self._root, stream, one.hour):
                    yield self._job(stream, one, files, hours), one.is_merged
            is_closed = all(hour < first_open for hour in loaded[day].hours)
            if not found and loaded[day].is_complete and is_closed:
                done[day] = tokens[day]

    def _near(self, day: int) -> range:
        return range(day - self._reach_days, day + self._reach_days + 1)

    def _load(self, stream: Stream, day: int) -> _LoadedDay:
        """Read the footers of a day."""
        loaded = _LoadedDay()
        try:
            listed = self.catalog.hours(stream, day)
        except UnreadableFile as error:
            loaded.refused.add(StreamHour(stream, hour_of(error.path) or day * HOURS_A_DAY))
            loaded.is_complete = False
            self.log_once("compact.refused", str(error))
            return loaded
        for hour, names in listed.items():
            try:
                files = self.catalog.files(stream, hour, names)
                loaded.hours[hour] = planned(hour, files, read_note(self._root, stream, hour))
                loaded.files[hour] = files
            except FileNotFoundError:
                loaded.is_complete = False  # it was just replaced; the next round lists it again
            except (DamagedFile, UnreadableFile) as error:
                loaded.refused.add(StreamHour(stream, hour))
                loaded.is_complete = False
                self.log_once("compact.refused", str(error))
        return loaded

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
            report.refused.add(StreamHour(job.stream, job.hour))
            self.log_once("compact.refused", str(error))
        except Transient as error:
            # Most likely a file was replaced while it was read; the next round reads the new ones.
            log.warning("compact.retry", hour=hour_text(job.hour), stream=job.stream, error=str(error))
            report.postponed = report.error = str(error)
