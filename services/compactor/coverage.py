"""COVERAGE: `<root>/coverage/`, a small table a day: whether each hour of each stream is complete.

Derived from footers, gap rows and checkpoints whenever those change; each day's file is replaced whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive.catalog import Catalog
from services.archive.durable import make_directories, publish, sync_open
from services.archive.footer import rows_in, total
from services.archive.gaps import what_is_left
from services.archive.manifest import read_removals
from services.archive.parquet import DamagedFile, open_part
from services.archive.paths import (
    HOUR_US,
    REMOVED,
    hour_directory,
    hour_of_text,
    hour_start,
    removed_path,
)
from services.compactor.cover import CoverageRow, OpenGap, State, StreamHour, cover, rejects_of
from services.compactor.look import watermark_us
from services.compactor.plan import closed_before
from services.compactor.prepare import workshop
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient
from services.shared.event import GapReason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.archive.catalog import File

AFTER_US = 15 * 60_000_000
_BEFORE_FIRST = 48
"""Hours without a row that are shown before the first one that has: the start may be set far back."""
_NAME = "coverage.parquet"
_INSTANT = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("hour", _INSTANT, nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("first_us", pa.int64()),
        pa.field("last_us", pa.int64()),
        pa.field("gap_seconds", pa.float64(), nullable=False),
        pa.field("duplicates_removed", pa.int64(), nullable=False),
        pa.field("rejects", pa.int64(), nullable=False),
        pa.field("parts", pa.int32(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("updated_at", _INSTANT, nullable=False),
    ]
)


def read(root: Path) -> list[CoverageRow]:
    """Return the table's rows, the oldest hour first. Raises OSError, and as `open_part` does."""
    rows: list[CoverageRow] = []
    for path in sorted((root / "coverage").glob(f"year=*/month=*/day=*/{_NAME}")):
        rows += _read(path)
    return sorted(rows, key=lambda row: (row.hour, list(Stream).index(row.stream)))


def refresh(root: Path, now_us: int) -> None:
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
                    self._write(day, rows, now_us)
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
                row = cover(
                    StreamHour(stream, hour),
                    files[stream].get(hour, ()),
                    holes,
                    is_open=hour >= still_open,
                    rejects=rejects_of(stream, rejects),
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
            return _read(self._path(day))
        except (FileNotFoundError, DamagedFile):
            return None

    def _write(self, day: int, rows: list[CoverageRow], now_us: int) -> None:
        path, staged = self._path(day), workshop(self._root) / f"coverage-{day}.tmp"
        make_directories(self._root, staged.parent)
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        told = [
            {**row._asdict(), "hour": hour_start(row.hour), "state": row.state.value, "updated_at": now}
            for row in rows
        ]
        with staged.open("wb") as file:
            pq.write_table(pa.Table.from_pylist(told, SCHEMA), file)
            sync_open(file)
        reach(CrashPoint.COVERAGE_STAGED)
        publish(self._root, staged, path)

    def _path(self, day: int) -> Path:
        start = hour_start(day * 24)
        folder = f"year={start.year:04d}/month={start.month:02d}/day={start.day:02d}"
        return self._root / "coverage" / folder / _NAME


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


def _read(path: Path) -> list[CoverageRow]:
    with open_part(path) as table:
        if not table.schema.equals(SCHEMA):
            raise DamagedFile(path, "its columns are not those of the coverage table")
        held = table.read()
    rows = []
    for row in held.to_pylist():
        del row["updated_at"]
        hour = int(row.pop("hour").timestamp()) // 3600
        row["stream"], row["state"] = Stream(row["stream"]), State(row["state"])
        rows.append(CoverageRow(hour=hour, **row))
    return rows
