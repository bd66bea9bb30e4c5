"""The coverage table: a small Parquet file a day, with a row for each hour of each stream.

The compactor makes it from footers, gap rows and checkpoints; commands read it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive.durable import make_directories, publish, sync_open
from services.archive.parquet import DamagedFile, open_part
from services.archive.paths import hour_start
from services.shared.crash_points import CrashPoint, reach
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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


class State(StrEnum):
    """Whether an hour is complete."""

    OPEN = "open"
    """Events of this hour are still expected."""
    PARTIAL = "partial"
    """A gap overlaps the hour: events may be missing."""
    EMPTY = "empty"
    """The hour has no event, and no gap overlaps it."""
    CLOSED = "closed"
    """All events that were received are in the files."""


class CoverageRow(NamedTuple):
    """A row of the table: one hour of one stream."""

    hour: int
    """Counted from 1970."""
    stream: Stream
    state: State
    rows: int
    first_us: int | None
    last_us: int | None
    gap_seconds: float
    duplicates_removed: int
    rejects: int
    """Rows of `rejects` in this hour that came from this stream's buffer; for `rejects`, all."""
    parts: int
    bytes: int


def coverage_path(root: Path, day: int) -> Path:
    """Return the file of a day, counted from 1970."""
    start = hour_start(day * 24)
    folder = f"year={start.year:04d}/month={start.month:02d}/day={start.day:02d}"
    return root / "coverage" / folder / _NAME


def read_coverage(root: Path) -> list[CoverageRow]:
    """Return all rows, the oldest hour first. Raises as `open_part` does."""
    rows: list[CoverageRow] = []
    for path in sorted((root / "coverage").glob(f"year=*/month=*/day=*/{_NAME}")):
        rows += read_day(path)
    return sorted(rows, key=lambda row: (row.hour, list(Stream).index(row.stream)))


def read_day(path: Path) -> list[CoverageRow]:
    """Return the rows of one file. Raises as `open_part` does."""
    with open_part(path) as file:
        if not file.schema.equals(SCHEMA):
            raise DamagedFile(path, "its columns are not those of the coverage table")
        table = file.read()
    rows = []
    for row in table.to_pylist():
        del row["updated_at"]
        hour = int(row.pop("hour").timestamp()) // 3600
        row["stream"], row["state"] = Stream(row["stream"]), State(row["state"])
        rows.append(CoverageRow(hour=hour, **row))
    return rows


def write_day(root: Path, day: int, rows: Iterable[CoverageRow], now_us: int, staged: Path) -> None:
    """Replace the file of a day, durably; `staged` is a path in scratch. Raises OSError."""
    path = coverage_path(root, day)
    make_directories(root, staged.parent)
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    columns = [
        {**row._asdict(), "hour": hour_start(row.hour), "state": row.state.value, "updated_at": now}
        for row in rows
    ]
    with staged.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(columns, SCHEMA), file)
        sync_open(file)
    reach(CrashPoint.COVERAGE_STAGED)
    publish(root, staged, path)
