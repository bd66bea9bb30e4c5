"""APPLY: passes over all merged hours that remove the rows whose record or account was deleted.

A pass collects the deletions of the hours that changed since the last pass, searches every hour for rows that
they remove, and hands over the hours that have such rows. It is complete, and noted, when no hour has any.
After a kill it starts again, and finds nothing in the hours that are done.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import StreamHour, read_note
from services.archive.manifest import Cause
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import hour_directory, hour_text
from services.compactor.deletions import state
from services.compactor.deletions.collect import PassScope, collect_deletions
from services.compactor.deletions.state import ACCOUNT_STREAMS, DeletionState
from services.compactor.job import Job, merge_limits
from services.compactor.merge import would_drop
from services.compactor.plan import planned
from services.compactor.prepare import is_prepared, prepare, scratch
from services.compactor.settings import Policy
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BrokenInvariant, Transient
from services.shared.logging import LogOnce

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.compactor.deletions.collect import Drop, Hours
    from services.compactor.hour_compactor import HourCompactor
    from services.compactor.settings import CompactorSettings
    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping

RUN_SECONDS = 300.0
"""After this time a run returns, so that closed hours are compacted in between."""
log = structlog.get_logger()


@dataclass
class DeletionReport:
    """The result of one run."""

    hours: int = 0
    """Hours that were handed over without the rows."""
    rows: Counter[str] = field(default_factory=Counter)
    """Removed rows by policy: `records`, `accounts`."""
    postponed: str = ""
    """Why the remaining hours wait."""
    error: str = ""
    """The same, where a person has to act."""


@dataclass
class _Pass:
    """A pass under way; kept in memory only."""

    began_us: int
    work_dir: Path
    """Directory of the collected deletions."""
    hours: Hours
    drop: Drop
    pending: deque[StreamHour]
    outputs: dict[StreamHour, frozenset[str]] = field(default_factory=dict)
    """Files that handed-over hours will hold once they are swapped."""

    @property
    def name(self) -> str:
        """Name of the pass in the report."""
        return datetime.fromtimestamp(self.began_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Deletions:
    """Applies deletions to one archive, a limited time per run."""

    def __init__(
        self,
        settings: CompactorSettings,
        hours: HourCompactor,
        stopping: Stopping,
        progress: Callable[[], None],
    ) -> None:
        self._root = settings.archive_root
        self._policy = settings.compact_apply_deletions
        self._every_hours = settings.compact_deletions_every_hours
        self._limits = merge_limits(settings)
        self._catalog = hours.catalog
        self._postpone_check = hours.postpone_check
        self._stopping = stopping
        self._progress = progress
        self._pass: _Pass | None = None
        self._log_once = LogOnce()

    def run(self, first_open: int, now_us: int, *, at_once: bool = False) -> DeletionReport:
        """Continue a pass, or begin one that is due (`at_once`: now) over the hours before `first_open`.

        Raises Transient when the disk fails.
        """
        report = DeletionReport()
        if self._policy is Policy.OFF:
            return report
        postponed = self._postpone_check.now()
        if postponed:
            report.postponed = postponed.why
            return report
        try:
            # A sweep removes the collected deletions; without them a pass cannot continue.
            if self._pass is None or not self._pass.work_dir.exists():
                self._pass = self._begin(first_open, now_us, at_once=at_once)
            if self._pass is not None:
                self._continue(self._pass, report)
        except OSError as error:
            raise Transient(f"cannot apply deletions to {self._root}: {error}") from error
        except (BrokenInvariant, DamagedFile) as error:
            # Compaction and coverage go on; a person has to look at what is damaged.
            self._log_once("deletions.refused", str(error))
            report.postponed = report.error = str(error)
        return report

    def _begin(self, first_open: int, now_us: int, *, at_once: bool) -> _Pass | None:
        last = state.read_state(self._root)
        if not at_once and not state.is_due(last, self._policy, now_us, self._every_hours):
            return None
        known = last.hours if last.policy == self._policy else {}
        parent = scratch(self._root) / "deleted"
        shutil.rmtree(parent, ignore_errors=True)
        work_dir = parent / str(now_us)
        work_dir.mkdir(parents=True)
        hours = {stream: self._merged(stream, first_open) for stream in ACCOUNT_STREAMS}
        drop = collect_deletions(self._root, work_dir, PassScope(hours, known), self._policy, self._limits)
        reach(CrashPoint.COMPACT_COLLECTED)
        pending = deque(StreamHour(stream, hour) for stream in drop for hour in hours[stream])
        log.info("deletions.started", hours=len(pending))
        return _Pass(now_us, work_dir, hours, drop, pending)

    def _merged(self, stream: Stream, first_open: int) -> dict[int, str]:
        """Return the digest of each closed and merged hour; the others are left to the next pass."""
        found = {}
        for hour, names in self._catalog.all_hours(stream):
            if hour >= first_open:
                break
            try:
                of_hour = planned(
                    hour, self._catalog.files(stream, hour, names), read_note(self._root, stream, hour)
                )
            except FileNotFoundError:
                continue
            except (DamagedFile, UnreadableFile) as error:
                self._log_once("deletions.refused", str(error))
                continue
            if not of_hour.has_parts:
                found[hour] = state.digest_of_chunks(of_hour.chunks)
        return found

    def _continue(self, under_way: _Pass, report: DeletionReport) -> None:
        ends = time.monotonic() + RUN_SECONDS
        waiting: list[StreamHour] = []
        while under_way.pending and not self._stopping and not report.postponed and time.monotonic() < ends:
            one = under_way.pending.popleft()
            if not self._is_done(under_way, one, report):
                waiting.append(one)
            self._progress()
        under_way.pending.extend(waiting)
        if not under_way.pending:
            self._end(under_way)

    def _is_done(self, under_way: _Pass, one: StreamHour, report: DeletionReport) -> bool:
        """Whether an hour has no such rows, or is left to the next pass; otherwise it is handed over."""
        if is_prepared(self._root, *one):
            return False
        stream, hour = one
        try:
            names = sorted(path.name for path in hour_directory(self._root, stream, hour).iterdir())
            job = self._job(under_way, one, names)
            if job is not None:
                return frozenset(names) == under_way.outputs.get(one) or self._is_without(
                    under_way, job, report
                )
        except FileNotFoundError:
            # Removed as a whole, or just replaced: the next pass reads what is there then.
            log.info("deletions.skipped", hour=hour_text(hour), stream=stream)
        except (BrokenInvariant, DamagedFile, UnreadableFile) as error:
            self._log_once("deletions.refused", str(error))
        except Transient as error:
            log.warning("compact.retry", hour=hour_text(hour), stream=stream, error=str(error))
            report.postponed = report.error = str(error)
            return False
        under_way.hours[stream].pop(hour, None)
        return True

    def _job(self, under_way: _Pass, one: StreamHour, names: list[str]) -> Job | None:
        """Return the merge that removes the rows from an hour; None where the hour is not merged any more."""
        stream, hour = one
        files = self._catalog.files(stream, hour, names)
        of_hour = planned(hour, files, read_note(self._root, stream, hour))
        if of_hour.has_parts or not names:
            return None
        return Job(
            stream=stream,
            hour=hour,
            directory=hour_directory(self._root, stream, hour),
            files=files,
            earlier=(),
            compared=of_hour.compared,
            drop=under_way.drop[stream],
        )

    def _is_without(self, under_way: _Pass, job: Job, report: DeletionReport) -> bool:
        postponed = self._postpone_check(job)
        if postponed:
            log.warning("compact.postponed", why=postponed.why)
            report.postponed = postponed.why
            report.error = postponed.why if postponed.is_error else ""
            return False
        if not would_drop(job, scratch(self._root) / "sorting", self._limits):
            return True
        of_pass = {"pass": under_way.name}
        manifest = prepare(self._root, job, self._limits, Cause.DELETIONS, of_pass)
        under_way.outputs[StreamHour(job.stream, job.hour)] = manifest.output_names
        report.hours += 1
        report.rows.update(manifest.report["dropped"])
        return False

    def _end(self, under_way: _Pass) -> None:
        hours = {stream.value: of_stream for stream, of_stream in under_way.hours.items()}
        state.write_state(self._root, DeletionState(self._policy, under_way.began_us, hours))
        reach(CrashPoint.COMPACT_DELETIONS_NOTED)
        shutil.rmtree(under_way.work_dir)
        self._pass = None
        log.info("deletions.finished", name=under_way.name, rewritten=len(under_way.outputs))
