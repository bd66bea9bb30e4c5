"""A look at the archive: which hours are closed and not merged; they are prepared, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import Catalog, File, read_note
from services.archive.checkpoints import read_checkpoints
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import hour_directory, hour_text
from services.compactor.job import Job, merge_limits
from services.compactor.overlaps import overlaps
from services.compactor.plan import Due, Hour, Rhythm, due, planned
from services.compactor.postponed import PostponeCheck
from services.compactor.prepare import compare, is_prepared, prepare
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.compactor.settings import CompactorSettings
    from services.shared.lifecycle import Stopping

FOREVER_US = 2**62
"""A watermark that has passed every hour there can be: `--close-all`."""

log = structlog.get_logger()


@dataclass
class Found:
    """What came of one look."""

    prepared: int = 0
    """Hours that wait for their swap now, and did not before."""
    duplicates: int = 0
    """Rows that those leave out."""
    compared: int = 0
    """Merged hours that were compared once more, and had nothing to lose."""
    refused: int = 0
    """Hours with a file that is damaged or none of ours."""
    postponed: str = ""
    """Why the rest has to wait; empty when there is no rest."""
    trouble: str = ""
    """The same where somebody has to do something about it."""


def watermark_us(root: Path) -> int:
    """Return up to where all streams are committed, in Unix microseconds; 0 before an archive's start."""
    checkpoints = read_checkpoints(root)
    return (
        min((cursor.time_us for cursor in checkpoints.values()), default=0)
        if len(checkpoints) == len(Stream)
        else 0
    )


class Look:
    """Prepares what is due; the streams' owners swap."""

    def __init__(self, settings: CompactorSettings, stopping: Stopping, progress: Callable[[], None]) -> None:
        self._root = settings.archive_root
        self.postpone_check = PostponeCheck(settings)
        self._stopping = stopping
        self._progress = progress
        self._rhythm = Rhythm(int(settings.compact_after_minutes * 60e6), settings.compact_neighbours)
        self._bounds = merge_limits(settings)
        self._look_back_us = int(settings.archive_look_back_hours * 3600e6)
        self.catalog = Catalog(self._root)
        self._told: set[str] = set()

    def __call__(self, *, close_all: bool = False) -> Found:
        """Prepare all hours that are due. Raises Transient when the disk does not let us.

        With no memory for it none is: coverage, retention and the trash are looked after all the same.
        """
        came = Found()
        if not self._bounds.memory_mb:
            return came
        passed_us = FOREVER_US if close_all else watermark_us(self._root)
        for stream in Stream:
            for job, is_merged in self._jobs(stream, passed_us, came):
                if self._stopping:
                    return came
                postponed = self.postpone_check(job)
                if postponed:
                    log.warning("compact.postponed", why=postponed.why)
                    came.postponed = postponed.why
                    came.trouble = postponed.why if postponed.is_trouble else ""
                    return came
                came.postponed = came.trouble = ""
                self._do(job, came, is_merged=is_merged)
                self._progress()
        return came

    def _jobs(self, stream: Stream, passed_us: int, came: Found) -> Iterator[tuple[Job, bool]]:
        names = self.catalog.names(stream)
        self.catalog.prune(stream, names)
        files: dict[int, tuple[File, ...]] = {}
        hours: dict[int, Hour] = {}
        for hour, listed in names.items():
            try:
                files[hour] = self.catalog.files(stream, hour, listed)
                hours[hour] = planned(hour, files[hour], read_note(self._root, stream, hour))
            except FileNotFoundError:
                continue  # it was just replaced: next time
            except (DamagedFile, UnreadableFile) as error:
                came.refused += 1
                self._tell(str(error))
        spans = overlaps(
            (source for known in files.values() for file in known for source in file.sources),
            self._look_back_us,
        )
        for one in due(hours, passed_us, self._rhythm, spans):
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

    def _do(self, job: Job, came: Found, *, is_merged: bool) -> None:
        try:
            if is_merged and not compare(self._root, job, self._bounds):
                came.compared += 1
                return
            manifest = prepare(self._root, job, self._bounds)
            came.prepared += 1
            came.duplicates += int(manifest.report["duplicates"])
        except (BrokenInvariant, DamagedFile) as error:
            came.refused += 1
            self._tell(str(error))
        except Transient as error:
            # Most likely a file was replaced while we read it; the next look sees the new ones.
            log.warning("compact.again", hour=hour_text(job.hour), stream=job.stream, error=str(error))
            came.postponed = came.trouble = str(error)

    def _tell(self, trouble: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            log.error("compact.refused", error=trouble)
