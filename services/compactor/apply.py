"""APPLY: passes over all merged hours: they lose the rows whose record or account was deleted since the last.

A pass gathers what was deleted in the hours that came since, searches every hour for it, and hands over those
that have such rows. It is whole, and noted, when every hour is without them; killed anywhere it begins anew,
and finds nothing in hours that are done.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import read_note
from services.archive.manifest import Cause
from services.archive.parquet import DamagedFile
from services.archive.paths import hour_directory, hour_text
from services.compactor import deletions
from services.compactor.deletions import OF_ACCOUNTS
from services.compactor.gather import Extent, gather
from services.compactor.job import Job, merge_limits
from services.compactor.merge import would_drop
from services.compactor.plan import planned
from services.compactor.prepare import is_prepared, prepare, workshop
from services.compactor.settings import Policy
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.compactor.gather import Drop, Hours
    from services.compactor.look import Look
    from services.compactor.settings import CompactorSettings
    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping

TURN_SECONDS = 300.0
"""Then the looks for closed hours have their turn again."""
log = structlog.get_logger()
StreamHour = tuple["Stream", int]


@dataclass
class Applied:
    """What came of one turn."""

    hours: int = 0
    """Hours handed over without the rows."""
    rows: Counter[str] = field(default_factory=Counter)
    """These rows, by whose deletion: `records`, `accounts`."""
    postponed: str = ""
    """Why the rest has to wait."""
    trouble: str = ""
    """The same where somebody has to do something about it."""


@dataclass
class _Pass:
    """A pass under way; only in memory."""

    began_us: int
    bench: Path
    """Where the gathered deletions lie."""
    hours: Hours
    """Those that it is of."""
    drop: Drop
    todo: deque[StreamHour]
    awaited: dict[StreamHour, frozenset[str]] = field(default_factory=dict)
    """Files that handed-over hours will hold once they are swapped."""

    @property
    def name(self) -> str:
        """How the report calls it."""
        return datetime.fromtimestamp(self.began_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Deletions:
    """Applies deletions to one archive, a turn at a time."""

    def __init__(
        self,
        settings: CompactorSettings,
        look: Look,
        stopping: Stopping,
        progress: Callable[[], None],
    ) -> None:
        self._root = settings.archive_root
        self._policy = settings.compact_apply_deletions
        self._every_hours = settings.compact_deletions_every_hours
        self._bounds = merge_limits(settings)
        self._catalogue = look.catalog
        self._postpone_check = look.postpone_check
        self._stopping = stopping
        self._progress = progress
        self._pass: _Pass | None = None
        self._told: set[str] = set()

    def turn(self, still_open: int, now_us: int, *, at_once: bool = False) -> Applied:
        """Go on with a pass, or begin one that is due (`at_once`: now); hours from `still_open` on wait.

        Raises Transient when the disk does not let us.
        """
        came = Applied()
        if self._policy is Policy.OFF:
            return came
        postponed = self._postpone_check.now()
        if postponed:
            came.postponed = postponed.why
            return came
        try:
            # Without what it gathered, which a sweep takes away, a pass cannot go on.
            if self._pass is None or not self._pass.bench.exists():
                self._pass = self._begun(still_open, now_us, at_once=at_once)
            if self._pass is not None:
                self._go_on(self._pass, came)
        except OSError as error:
            raise Transient(f"cannot apply deletions to {self._root}: {error}") from error
        except (BrokenInvariant, DamagedFile) as error:
            # Merging and coverage go on; what is damaged is for a person to look at.
            self._tell(str(error))
            came.postponed = came.trouble = str(error)
        return came

    def _begun(self, still_open: int, now_us: int, *, at_once: bool) -> _Pass | None:
        passed = deletions.read_passed(self._root)
        if not at_once and not deletions.is_due(passed, self._policy, now_us, self._every_hours):
            return None
        known = passed.hours if passed.policy == self._policy else {}
        benches = workshop(self._root) / "deleted"
        shutil.rmtree(benches, ignore_errors=True)
        bench = benches / str(now_us)
        bench.mkdir(parents=True)
        hours = {stream: self._merged(stream, still_open) for stream in OF_ACCOUNTS}
        drop = gather(self._root, bench, Extent(hours, known), self._policy, self._bounds)
        reach(CrashPoint.COMPACT_GATHERED)
        todo = deque((stream, hour) for stream in drop for hour in hours[stream])
        log.info("deletions.begun", hours=len(todo))
        return _Pass(now_us, bench, hours, drop, todo)

    def _merged(self, stream: Stream, still_open: int) -> dict[int, str]:
        """Return what the closed and merged hours of a stream hold; others are of the next pass."""
        found = {}
        for hour, names in self._catalogue.names(stream).items():
            if hour >= still_open:
                continue
            try:
                of_hour = planned(
                    hour, self._catalogue.files(stream, hour, names), read_note(self._root, stream, hour)
                )
            except FileNotFoundError:
                continue
            except (BrokenInvariant, DamagedFile) as error:
                self._tell(str(error))
                continue
            if not of_hour.has_parts:
                found[hour] = deletions.held(of_hour.chunks)
        return dict(sorted(found.items()))

    def _go_on(self, under_way: _Pass, came: Applied) -> None:
        ends = time.monotonic() + TURN_SECONDS
        waiting: list[StreamHour] = []
        while under_way.todo and not self._stopping and not came.postponed and time.monotonic() < ends:
            place = under_way.todo.popleft()
            if not self._is_done(under_way, place, came):
                waiting.append(place)
            self._progress()
        under_way.todo.extend(waiting)
        if not under_way.todo:
            self._end(under_way)

    def _is_done(self, under_way: _Pass, place: StreamHour, came: Applied) -> bool:
        """Whether an hour is without the rows now, or of the next pass; if not, it is handed over."""
        if is_prepared(self._root, *place):
            return False
        stream, hour = place
        try:
            names = sorted(path.name for path in hour_directory(self._root, stream, hour).iterdir())
            job = self._job(under_way, place, names)
            if job is not None:
                return frozenset(names) == under_way.awaited.get(place) or self._is_without(
                    under_way, job, came
                )
        except FileNotFoundError:
            # Removed as a whole, or just replaced: the next pass sees what is there.
            log.info("deletions.skipped", hour=hour_text(hour), stream=stream)
        except (BrokenInvariant, DamagedFile) as error:
            self._tell(str(error))
        except Transient as error:
            log.warning("compact.again", hour=hour_text(hour), stream=stream, error=str(error))
            came.postponed = came.trouble = str(error)
            return False
        under_way.hours[stream].pop(hour, None)
        return True

    def _job(self, under_way: _Pass, place: StreamHour, names: list[str]) -> Job | None:
        """Return what is to be done about an hour; None where it is no merged one any more."""
        stream, hour = place
        files = self._catalogue.files(stream, hour, names)
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

    def _is_without(self, under_way: _Pass, job: Job, came: Applied) -> bool:
        postponed = self._postpone_check(job)
        if postponed:
            log.warning("compact.postponed", why=postponed.why)
            came.postponed = postponed.why
            came.trouble = postponed.why if postponed.is_trouble else ""
            return False
        if not would_drop(job, workshop(self._root) / "sorting", self._bounds):
            return True
        told = {"pass": under_way.name}
        manifest = prepare(self._root, job, self._bounds, Cause.DELETIONS, told)
        under_way.awaited[job.stream, job.hour] = manifest.output_names
        came.hours += 1
        came.rows.update(manifest.report["dropped"])
        return False

    def _end(self, under_way: _Pass) -> None:
        hours = {stream.value: of_stream for stream, of_stream in under_way.hours.items()}
        passed = deletions.Passed(self._policy, under_way.began_us, hours)
        deletions.write_passed(self._root, passed)
        reach(CrashPoint.COMPACT_PASSED)
        shutil.rmtree(under_way.bench)
        self._pass = None
        log.info("deletions.passed", name=under_way.name, rewritten=len(under_way.awaited))

    def _tell(self, trouble: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            log.error("deletions.refused", error=trouble)
