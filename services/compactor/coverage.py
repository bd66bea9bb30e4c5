"""COVERAGE: `<root>/coverage/`, a small table a day: whether each hour of each stream is complete.

Derived from footers, gap rows and checkpoints whenever those change; each day's file is replaced whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.catalog import Catalog
from services.archive.checkpoints import watermark_us
from services.archive.coverage import CoverageRow, State, coverage_path, read_day, write_day
from services.archive.footer import rows_in, total
from services.archive.gaps import what_is_left
from services.archive.manifest import read_removals
from services.archive.parquet import DamagedFile, open_part
from services.archive.paths import HOUR_US, REMOVED, hour_directory, hour_of_text, removed_path
from services.compactor.plan import closed_before
from services.compactor.prepare import scratch
from services.shared.errors import Transient
from services.shared.event import OWN_STREAMS, STREAM_OF_COLLECTION, GapReason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from services.archive.catalog import File

AFTER_US = 15 * 60_000_000
_BEFORE_FIRST = 48
"""Hours without a row that are shown before the first one that has: the start may be set far back."""


class StreamHour(NamedTuple):
    """One hour of one stream."""

    stream: Stream
    hour: int
    """Counted from 1970."""


class OpenGap(NamedTuple):
    """A row of `gaps`, as far as it matters here; Unix microseconds of event time."""

    from_us: int
    to_us: int
    reason: str
    collection: str | None


def refresh_coverage(root: Path, now_us: int) -> None:
    """Bring the whole table up to date; for a command, while no compactor runs. Raises Transient."""
    Coverage(root, Catalog(root), AFTER_US).refresh(now_us)


class Coverage:
    """Keeps the table right from look to look."""

    def __init__(self, root: Path, catalog: Catalog, after_us: int) -> None:
        self._root = root
        self._catalogue = catalog
        self._after_us = after_us
        self._written: dict[int, list[CoverageRow]] = {}
        self._holes: dict[Path, list[OpenGap]] = {}

    def refresh(self, now_us: int) -> None:
        """Replace the files of the days that are no longer right. Raises Transient."""
        try:
            days: dict[int, list[CoverageRow]] = {}
            for row in self._rows():
                days.setdefault(row.hour // 24, []).append(row)
            for day, rows in days.items():
                if self._known(day) != rows:
                    staged = scratch(self._root) / f"coverage-{day}.tmp"
                    write_day(self._root, day, rows, now_us, staged)
                self._written[day] = rows
        except (OSError, DamagedFile) as error:
            raise Transient(f"cannot renew the coverage of {self._root}: {error}") from error

    def _rows(self) -> Iterable[CoverageRow]:
        files = {stream: self._files(stream) for stream in Stream}
        holes = self._all_holes(files[Stream.GAPS])
        passed_us = watermark_us(self._root)
        still_open = closed_before(passed_us, self._after_us)
        gone = {stream: removed_hours(self._root, stream) for stream in Stream}
        hours = {hour for of_stream in (*files.values(), *gone.values()) for hour in of_stream}
        for hour in sorted(hours | set(_quiet(hours, holes, passed_us))):
            rejects = files[Stream.REJECTS].get(hour, ())
            for stream in Stream:
                row = coverage_row(
                    StreamHour(stream, hour),
                    files[stream].get(hour, ()),
                    holes,
                    is_open=hour >= still_open,
                    rejects=reject_count(stream, rejects),
                )
                yield self._as_it_was(row) if hour in gone[stream] and not row.parts else row

    def _as_it_was(self, row: CoverageRow) -> CoverageRow:
        """Return the row of an hour that was removed on purpose: what it held, in no files any more."""
        for known in self._known(row.hour // 24) or ():
            if (known.stream, known.hour) == (row.stream, row.hour) and known.rows:
                return known._replace(parts=0, bytes=0)
        noted = read_removals(removed_path(self._root, row.stream, row.hour))
        rows = rows_in(total(*(one.accounted for removal in noted for one in removal.inputs)))
        return row._replace(rows=rows, state=State.CLOSED if row.state is State.EMPTY and rows else row.state)

    def _files(self, stream: Stream) -> dict[int, tuple[File, ...]]:
        found: dict[int, tuple[File, ...]] = {}
        for hour, names in self._catalogue.names(stream).items():
            known: list[File] = []
            for name in names:
                try:
                    known += self._catalogue.files(stream, hour, [name])
                except (FileNotFoundError, DamagedFile):
                    # Replaced just now: the next look counts it. Damaged: its rows are not there to be read.
                    continue
            found[hour] = tuple(known)
        return found

    def _all_holes(self, files: dict[int, tuple[File, ...]]) -> list[OpenGap]:
        paths = [
            hour_directory(self._root, Stream.GAPS, hour) / file.name
            for hour, of_hour in files.items()
            for file in of_hour
        ]
        for path in paths:
            if path not in self._holes:
                with open_part(path, Stream.GAPS) as part:
                    table = part.read(["from_us", "to_us", "reason", "collection"])
                self._holes[path] = [OpenGap(**row) for row in table.to_pylist()]
        noted = [hole for path in paths for hole in self._holes[path]]
        repairs = [(hole.from_us, hole.to_us) for hole in noted if hole.reason == GapReason.REPAIRED]
        return [
            hole._replace(from_us=from_us, to_us=to_us)
            for hole in noted
            for from_us, to_us in what_is_left(hole.reason, (hole.from_us, hole.to_us), repairs)
        ]

    def _known(self, day: int) -> list[CoverageRow] | None:
        if day in self._written:
            return self._written[day]
        try:
            return read_day(coverage_path(self._root, day))
        except (FileNotFoundError, DamagedFile):
            return None


def removed_hours(root: Path, stream: Stream) -> set[int]:
    """Return the hours of a stream that were removed on purpose: by retention, offload or forget."""
    return {hour_of_text(path.stem) for path in (root / REMOVED / stream.value).glob("*.json")}


def _quiet(hours: Iterable[int], holes: Iterable[OpenGap], passed_us: int) -> Iterable[int]:
    """Return the hours from the archive's start to the watermark: they have a row even if nothing came."""
    start = max(
        (hole.to_us // HOUR_US for hole in holes if hole.reason == GapReason.ARCHIVE_START), default=None
    )
    if start is None:
        return range(0)
    first = min((hour for hour in hours if hour >= start), default=start)
    return range(max(start, first - _BEFORE_FIRST), passed_us // HOUR_US + 1)


def coverage_row(
    place: StreamHour, files: Sequence[File], holes: Iterable[OpenGap], *, is_open: bool, rejects: int
) -> CoverageRow:
    """Return the row of an hour."""
    stream, hour = place
    overlapping = [] if stream in OWN_STREAMS else _overlapping(stream, hour, holes)
    rows = sum(file.rows for file in files)
    if is_open:
        state = State.OPEN
    elif overlapping:
        state = State.PARTIAL
    else:
        # Of an hour that lost all its rows on purpose a file still tells: more went than was there twice.
        held = rows or any(rows_in(file.removed) > file.duplicates for file in files)
        state = State.CLOSED if held else State.EMPTY
    return CoverageRow(
        hour=hour,
        stream=stream,
        state=state,
        rows=rows,
        first_us=min((file.first_us for file in files if file.first_us is not None), default=None),
        last_us=max((file.last_us for file in files if file.last_us is not None), default=None),
        gap_seconds=_seconds(overlapping),
        duplicates_removed=sum(file.duplicates for file in files),
        rejects=rejects,
        parts=len(files),
        bytes=sum(file.bytes for file in files),
    )


def reject_count(stream: Stream, rejects: Iterable[File]) -> int:
    """Return how many of an hour's rejects came from a stream's buffer; of `rejects`, all."""
    files = list(rejects)
    if stream is Stream.REJECTS:
        return sum(rows_in(file.counts) for file in files)
    return sum(of_epoch.get(stream, 0) for file in files for of_epoch in file.counts.values())


def _overlapping(stream: Stream, hour: int, holes: Iterable[OpenGap]) -> list[tuple[int, int]]:
    """Return the holes' shares of the hour. One of no length counts too: something was stepped over there."""
    start, end = hour * HOUR_US, (hour + 1) * HOUR_US
    return sorted(
        (max(hole.from_us, start), min(hole.to_us, end))
        for hole in holes
        if hole.from_us < end and hole.to_us >= start and _concerns(hole, stream)
    )


def _concerns(hole: OpenGap, stream: Stream) -> bool:
    if hole.collection is None:
        return True
    return STREAM_OF_COLLECTION.get(hole.collection, Stream.RECORDS) is stream


def _seconds(shares: Iterable[tuple[int, int]]) -> float:
    """Return the length of shares, in order, where each moment counts once."""
    counted, reached = 0, 0
    for start, end in shares:
        counted += max(0, end - max(start, reached))
        reached = max(reached, end)
    return counted / 1e6
