"""COVERAGE: computes the coverage table, which states for each hour of each stream whether it is complete.

Rows are derived from footers, gap rows and checkpoints. Only days whose files, gaps, open hours or table file
changed are computed again; each day's file is replaced as a whole.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from services.archive.catalog import HOURS_A_DAY, Catalog, File, StreamHour, token_of
from services.archive.checkpoints import watermark_us
from services.archive.coverage import CoverageRow, State, coverage_path, read_day, write_day
from services.archive.footer import rows_in, total
from services.archive.gaps import Interval, intersect, union_seconds
from services.archive.notes import read_removals
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import HOUR_US, REMOVED, hour_of_text, removed_path
from services.compactor.open_gaps import OpenGaps, hours_of, overlaps
from services.compactor.plan import closed_before
from services.compactor.prepare import scratch
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import OWN_STREAMS, Stream
from services.shared.logging import LogOnce

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from services.archive.gaps import OpenGap

AFTER_US = 15 * 60_000_000
_BEFORE_FIRST = 48
"""Hours without files that get a row before the first hour with files: the archive may start earlier."""


@dataclass
class CoverageReport:
    """The result of one refresh."""

    computed: int = 0
    """Rows that were computed again."""
    written: int = 0
    """Days whose file was replaced."""
    damaged: set[StreamHour] = field(default_factory=set)
    """Hours with a file that cannot be read: its rows are missing from the table."""


class _Inputs(NamedTuple):
    """What the rows are computed from, beside footers and gaps."""

    tokens: Mapping[Stream, Mapping[int, int]]
    """By stream and day, a token that changes with the day's files."""
    removed: Mapping[Stream, Mapping[int, frozenset[int]]]
    """By stream and day, the hours that were removed on purpose."""
    first_open: int
    quiet: range
    """Hours that get a row even if no stream has files."""

    def days(self) -> list[int]:
        """Return all days that have rows."""
        found = {day for by_day in (*self.tokens.values(), *self.removed.values()) for day in by_day}
        if self.quiet:
            found |= set(range(self.quiet.start // HOURS_A_DAY, (self.quiet.stop - 1) // HOURS_A_DAY + 1))
        return sorted(found)


def refresh_coverage(root: Path, now_us: int) -> CoverageReport:
    """Compute the whole table; for a command, while no compactor runs. Raises Transient."""
    return Coverage(root, Catalog(root), AFTER_US, LogOnce()).refresh(now_us)


class Coverage:
    """Keeps the table up to date from round to round."""

    def __init__(self, root: Path, catalog: Catalog, after_us: int, log_once: LogOnce) -> None:
        self._root = root
        self._catalog = catalog
        self._after_us = after_us
        self._log_once = log_once
        self._gaps = OpenGaps(root, catalog, log_once)
        self._removed_hours: dict[Stream, tuple[int | None, dict[int, frozenset[int]]]] = {}
        self._computed: dict[int, int] = {}
        """By day, the digest of what its rows were computed from."""

    def refresh(self, now_us: int) -> CoverageReport:
        """Replace the files of the days that changed. Raises Transient."""
        report = CoverageReport()
        try:
            inputs = self._inputs(report)
            for day in inputs.days():
                if self._computed.get(day) != self._digest(inputs, day) or self._gaps.changed_in(day):
                    self._computed.pop(day, None)
                    if self._refresh_day(inputs, day, now_us, report):
                        self._computed[day] = self._digest(inputs, day)
            self._gaps.changes.clear()
        except OSError as error:
            raise Transient(f"cannot update the coverage of {self._root}: {error}") from error
        return report

    def _inputs(self, report: CoverageReport) -> _Inputs:
        tokens = {stream: self._catalog.days(stream) for stream in Stream}
        report.damaged |= self._gaps.update(tokens[Stream.GAPS])
        removed = {stream: self._removed(stream) for stream in Stream}
        watermark = watermark_us(self._root)
        inputs = _Inputs(tokens, removed, closed_before(watermark, self._after_us), range(0))
        start = max((gap.to_us for gap in self._gaps.open if gap.is_archive_start), default=None)
        if start is None:
            return inputs
        first = self._first_hour(inputs, start // HOUR_US)
        return inputs._replace(
            quiet=range(max(start // HOUR_US, first - _BEFORE_FIRST), watermark // HOUR_US + 1)
        )

    def _first_hour(self, inputs: _Inputs, start: int) -> int:
        """Return the first hour from `start` on that has files or had them; without one, `start`."""
        for day in inputs.days():
            found = {hour for by_day in inputs.removed.values() for hour in by_day.get(day, ())}
            for stream in Stream:
                with contextlib.suppress(UnreadableFile):
                    if day in inputs.tokens[stream] and day >= start // HOURS_A_DAY:
                        found |= self._catalog.hours(stream, day).keys()
            if any(hour >= start for hour in found):
                return min(hour for hour in found if hour >= start)
        return start

    def _removed(self, stream: Stream) -> dict[int, frozenset[int]]:
        """Return the hours of a stream that were removed by retention, offload or forget, by day."""
        directory = self._root / REMOVED / stream.value
        token = token_of([directory]) if directory.exists() else 0
        known_token, known = self._removed_hours.get(stream, (None, {}))
        if token is not None and token == known_token:
            return known
        found: dict[int, set[int]] = {}
        for path in directory.glob("*.json"):
            try:
                hour = hour_of_text(path.stem)
            except ValueError:
                self._log_once("compact.refused", f"{path} is no note on a removed hour: move it away")
                continue
            found.setdefault(hour // HOURS_A_DAY, set()).add(hour)
        removed = {day: frozenset(hours) for day, hours in found.items()}
        self._removed_hours[stream] = (token, removed)
        return removed

    def _digest(self, inputs: _Inputs, day: int) -> int:
        """Return a digest of what a day's rows are computed from, except gaps, and of its table file."""
        hours = hours_of(day)
        try:
            status = coverage_path(self._root, day).stat()
            table = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            table = None
        return hash(
            (
                table,
                tuple(inputs.tokens[stream].get(day) for stream in Stream),
                tuple(inputs.removed[stream].get(day) for stream in Stream),
                min(max(inputs.first_open, hours.start), hours.stop),
                min(max(inputs.quiet.start, hours.start), hours.stop),
                min(max(inputs.quiet.stop, hours.start), hours.stop),
                self._gaps.is_complete,
            )
        )

    def _refresh_day(self, inputs: _Inputs, day: int, now_us: int, report: CoverageReport) -> bool:
        """Compute a day's rows and replace its file if they changed; return whether every file was read."""
        damaged: set[StreamHour] = set()
        try:
            files = {
                stream: self._files(stream, day, damaged) if day in inputs.tokens[stream] else {}
                for stream in Stream
            }
        except (UnreadableFile, FileNotFoundError) as error:
            # A file that was just replaced, or a directory that cannot be listed: the rows stay as they are.
            if isinstance(error, UnreadableFile):
                self._log_once("compact.refused", str(error))
            return False
        known = self._known(day)
        rows = list(self._rows(inputs, day, files, {(row.stream, row.hour): row for row in known or ()}))
        report.computed += len(rows)
        report.damaged |= damaged
        if rows != known:
            write_day(self._root, day, rows, now_us, scratch(self._root) / f"coverage-{day}.tmp")
            report.written += 1
        return not damaged

    def _files(self, stream: Stream, day: int, damaged: set[StreamHour]) -> dict[int, tuple[File, ...]]:
        found: dict[int, tuple[File, ...]] = {}
        for hour, names in self._catalog.hours(stream, day).items():
            known: list[File] = []
            for name in names:
                try:
                    known += self._catalog.files(stream, hour, [name])
                except (DamagedFile, UnreadableFile) as error:
                    damaged.add(StreamHour(stream, hour))
                    self._log_once("compact.refused", str(error))
            found[hour] = tuple(known)
        return found

    def _known(self, day: int) -> list[CoverageRow] | None:
        """Return a day's rows as they were written last; None where its file is missing or damaged."""
        try:
            return read_day(coverage_path(self._root, day))
        except FileNotFoundError:
            return None
        except (DamagedFile, UnreadableFile) as error:
            self._log_once("coverage.rebuilt", str(error))
            return None

    def _rows(
        self,
        inputs: _Inputs,
        day: int,
        files: Mapping[Stream, Mapping[int, Sequence[File]]],
        known: Mapping[tuple[Stream, int], CoverageRow],
    ) -> Iterator[CoverageRow]:
        gaps = [gap for gap in self._gaps.open if overlaps(gap, hours_of(day))]
        removed = {stream: inputs.removed[stream].get(day, frozenset[int]()) for stream in Stream}
        hours = {hour for by_hour in (*files.values(), *removed.values()) for hour in by_hour}
        hours |= {hour for hour in hours_of(day) if hour in inputs.quiet}
        if not self._gaps.is_complete:  # the archive's start may be in the file that cannot be read
            hours |= {hour for _, hour in known}
        for hour in sorted(hours):
            of_hour = [gap for gap in gaps if overlaps(gap, range(hour, hour + 1))]
            rejects = files[Stream.REJECTS].get(hour, ())
            for stream in Stream:
                row = coverage_row(
                    StreamHour(stream, hour),
                    files[stream].get(hour, ()),
                    of_hour,
                    is_open=hour >= inputs.first_open,
                    rejects=reject_count(stream, rejects),
                )
                before = known.get((stream, hour))
                if hour in removed[stream] and not row.parts:
                    row = self._before_removal(row, before)
                elif (
                    before is not None
                    and before.state is State.PARTIAL
                    and row.state in (State.CLOSED, State.EMPTY)
                    and not self._gaps.is_complete
                ):
                    # The gap may stand in the file of `gaps` that cannot be read.
                    row = row._replace(state=State.PARTIAL, gap_seconds=before.gap_seconds)
                yield row

    def _before_removal(self, row: CoverageRow, before: CoverageRow | None) -> CoverageRow:
        """Return the row of an hour that was removed on purpose: the rows that it held, and no files."""
        if before is not None and before.rows:
            return before._replace(parts=0, bytes=0)
        try:
            noted = read_removals(removed_path(self._root, row.stream, row.hour))
        except BrokenInvariant as error:
            self._log_once("compact.refused", str(error))
            return row
        rows = rows_in(total(*(one.accounted for removal in noted for one in removal.inputs)))
        return row._replace(rows=rows, state=State.CLOSED if row.state is State.EMPTY and rows else row.state)


def coverage_row(
    place: StreamHour, files: Sequence[File], gaps: Iterable[OpenGap], *, is_open: bool, rejects: int
) -> CoverageRow:
    """Pure: return the row of an hour from its files and the gaps that may overlap it."""
    stream, hour = place
    overlapping = [] if stream in OWN_STREAMS else _shares(stream, hour, gaps)
    rows = sum(file.rows for file in files)
    if is_open:
        state = State.OPEN
    elif overlapping:
        state = State.PARTIAL
    else:
        # An hour that lost all its rows on purpose keeps a file, with more removed rows than duplicates.
        held = rows or any(rows_in(file.removed) > file.duplicates for file in files)
        state = State.CLOSED if held else State.EMPTY
    return CoverageRow(
        hour=hour,
        stream=stream,
        state=state,
        rows=rows,
        first_us=min((file.first_us for file in files if file.first_us is not None), default=None),
        last_us=max((file.last_us for file in files if file.last_us is not None), default=None),
        gap_seconds=union_seconds(overlapping),
        duplicates_removed=sum(file.duplicates for file in files),
        rejects=rejects,
        parts=len(files),
        bytes=sum(file.bytes for file in files),
    )


def reject_count(stream: Stream, rejects: Sequence[File]) -> int:
    """Return how many of an hour's rejects came from a stream's buffer; of `rejects`, all."""
    if stream is Stream.REJECTS:
        return sum(rows_in(file.counts) for file in rejects)
    return sum(of_epoch.get(stream, 0) for file in rejects for of_epoch in file.counts.values())


def _shares(stream: Stream, hour: int, gaps: Iterable[OpenGap]) -> list[Interval]:
    """Return the shares of the hour that the gaps of a stream overlap."""
    concerned = (
        gap.interval for gap in gaps if overlaps(gap, range(hour, hour + 1)) and gap.concerns(stream)
    )
    return intersect(concerned, Interval(hour * HOUR_US, (hour + 1) * HOUR_US))
