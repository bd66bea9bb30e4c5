"""Merge the files of one hour into few: each event once, sorted, with bounded memory.

Rows stream from DuckDB, which spills to disk what does not fit in memory, to the Parquet writer, one row
group at a time. Each output file is durable and read back before the next one begins.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from services.archive import footer as footers
from services.archive.duckdb import engine
from services.archive.durable import sync_open
from services.archive.footer import Counts, rows_in, split, total
from services.archive.manifest import Output
from services.archive.parquet import PartWriter, ReadHints, check_file, check_rows
from services.archive.paths import HOUR_US, compacted_name, inputs_id
from services.archive.schema import (
    BLOOM_COLUMNS,
    ROWS_PER_ROW_GROUP,
    SCHEMA_VERSION,
    SCHEMAS,
    SORT_COLUMNS,
    Codec,
    Compression,
    time_column,
)
from services.compactor.duplicates import find_dropped, find_duplicates, has_dropped
from services.compactor.job import READ
from services.shared.errors import BrokenInvariant
from services.shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from services.archive.catalog import File
    from services.compactor.job import Job, MergeLimits
    from services.shared.event import Stream

_BATCH_ROWS = 16 * 1024


@dataclass(frozen=True)
class MergeResult:
    """The result of a merge: durable files in the folder that was given."""

    outputs: tuple[Output, ...]
    duplicates: int
    dropped: dict[str, int]
    """Rows that `job.drop` removed, by reason."""
    removed: Counts
    """All removed rows, by epoch and source stream."""


def merge(job: Job, folder: Path, spill: Path, limits: MergeLimits) -> MergeResult:
    """Write the hour's rows, each event once and sorted, to files in `folder`; sorting spills to `spill`.

    Raises Transient when a file was replaced meanwhile or space is short: repeat the merge from the start.
    Raises DamagedFile, or BrokenInvariant when the numbers of rows do not agree.
    """
    with engine(spill, limits.memory_mb, f"merge {job.directory}") as database:
        for file in job.files:
            check_rows(job.directory / file.name)
        return _merge(database, job, folder, limits)


def has_duplicates(job: Job, spill: Path, limits: MergeLimits) -> bool:
    """Whether `merge` would remove a duplicate. Raises as it does."""
    with engine(spill, limits.memory_mb, f"compare {job.directory}") as database:
        return bool(sum(find_duplicates(database, job).values()))


def would_drop(job: Job, spill: Path, limits: MergeLimits) -> bool:
    """Whether `merge` would remove a row because of `job.drop`. Raises as it does."""
    with engine(spill, limits.memory_mb, f"search {job.directory}") as database:
        return has_dropped(database, job)


def _merge(database: duckdb.DuckDBPyConnection, job: Job, folder: Path, limits: MergeLimits) -> MergeResult:
    duplicates = find_duplicates(database, job)
    dropped = find_dropped(database, job)
    removed: list[Counts] = []
    kept: list[Counts] = []
    for index, file in enumerate(job.files):
        of_file = sum(by_file.get(index, 0) for by_file in (duplicates, *dropped.values()))
        taken, left = split(file.counts, of_file)
        removed.append(taken)
        kept.append(left)
    with CompactedOutput(
        job=job,
        folder=folder,
        limits=limits,
        left=total(*kept),
        removed=total(*(file.removed for file in job.files), *removed),
        duplicates=sum(duplicates.values()) + sum(file.duplicates for file in job.files),
        distinct=_distinct(database, job),
    ) as output:
        for table in _tables(database, job):
            output.write(table)
        files = output.end()
    expected, written = rows_in(total(*kept)), sum(one.rows for one in files)
    if written != expected:
        raise BrokenInvariant(
            f"{job.directory}: the merge wrote {written} rows instead of {expected}; nothing was replaced"
        )
    by_reason = {reason: sum(by_file.values()) for reason, by_file in dropped.items()}
    return MergeResult(files, sum(duplicates.values()), by_reason, total(*removed))


def _distinct(database: duckdb.DuckDBPyConnection, job: Job) -> dict[str, int]:
    """Return the approximate number of distinct values per row group of each column with a Bloom filter."""
    found = {}
    for column in BLOOM_COLUMNS.get(job.stream, ()):
        query = f"SELECT approx_count_distinct({column}) FROM {READ}"
        row = database.execute(query, [job.paths]).fetchone()
        found[column] = min(int(row[0]) if row else 1, ROWS_PER_ROW_GROUP)
    return found


def _tables(database: duckdb.DuckDBPyConnection, job: Job) -> Iterator[pa.Table]:
    """Yield the rows that are kept, sorted, one row group at a time."""
    schema = SCHEMAS[job.stream]
    described = database.execute(f"DESCRIBE SELECT * FROM {READ}", [job.paths]).fetchall()
    present = {row[0] for row in described}
    columns = ", ".join(name if name in present else f"NULL AS {name}" for name in schema.names)
    order = ", ".join(SORT_COLUMNS[job.stream])
    query = f"""
        SELECT {columns} FROM {READ} AS mine
        ANTI JOIN removed ON removed.f = mine.file_index AND removed.r = mine.file_row_number
        ORDER BY {order}, mine.file_index, mine.file_row_number
    """
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in database.sql(query, params=[job.paths]).to_arrow_reader(_BATCH_ROWS):
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_PER_ROW_GROUP:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROWS_PER_ROW_GROUP).cast(schema)
            rest = table.slice(ROWS_PER_ROW_GROUP)
            waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting).cast(schema)


@dataclass(kw_only=True)
class CompactedOutput:
    """Writes the compacted files of an hour one after another; each is durable once it is ended.

    A context manager: after an error the file that is being written is closed and removed.
    """

    job: Job
    folder: Path
    limits: MergeLimits
    left: Counts
    """Rows that are still to be written, by epoch and source stream."""
    removed: Counts
    duplicates: int
    distinct: dict[str, int]
    done: list[Output] = field(default_factory=list)
    _open: _OutputFile | None = None

    def __enter__(self) -> Self:
        """Return the output."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close and remove the file that was not ended."""
        if self._open is not None:
            self._open.discard()

    def write(self, table: pa.Table) -> None:
        """Write a row group; end the file when it has reached its size."""
        if self._open is None:
            self._open = self._begin_file()
        self._open.write(table)
        if self._open.writer.bytes >= self.limits.file_bytes:
            self._end_file(self._open)

    def end(self) -> tuple[Output, ...]:
        """End the last file; return all. Without rows one empty file accounts for what was removed."""
        if self._open is None and not self.done:
            self._open = self._begin_file()
        if self._open is not None:
            self._end_file(self._open)
        return tuple(self.done)

    def _begin_file(self) -> _OutputFile:
        return _OutputFile(self._staged(), self.job.stream, self.limits, self.distinct)

    def _staged(self) -> Path:
        return self.folder / f"{len(self.done)}.tmp"

    def _end_file(self, file: _OutputFile) -> None:
        counts, self.left = split(self.left, file.rows)
        identity = inputs_id(self.job.id, str(len(self.done)))
        start_us = self.job.hour * HOUR_US
        first_us = start_us if file.first_us is None else file.first_us
        last_us = start_us if file.last_us is None else file.last_us
        name = compacted_name(first_us, last_us, file.rows, identity)
        file.seal(self._footer(counts, file.rows))
        path = self.folder / name
        self._staged().rename(path)
        check_file(path, file.rows, SCHEMAS[self.job.stream])
        self.done.append(Output(name, file.rows, path.stat().st_size))
        self._open = None

    def _footer(self, counts: Counts, rows: int) -> dict[str, str]:
        # Values of the hour as a whole are in its first file only, so that sums over files are right.
        first = not self.done
        return {
            "archive.schema_version": str(SCHEMA_VERSION),
            "archive.writer_version": VERSION,
            "archive.stream": self.job.stream.value,
            "archive.rows": str(rows),
            footers.COMPACTED: "1",
            footers.ROWS_BY_EPOCH: _json(counts),
            footers.REMOVED_BY_EPOCH: _json(self.removed if first else {}),
            footers.DUPLICATES: str(self.duplicates if first else 0),
            footers.SOURCES: _json(_sources(self.job.files) if first else ()),
            footers.COMPARED: _json(sorted(self.job.compared) if first else ()),
        }


class _OutputFile:
    """One compacted file while it is written."""

    def __init__(self, path: Path, stream: Stream, limits: MergeLimits, distinct: dict[str, int]) -> None:
        self._path = path
        self._file = path.open("wb")
        self._stream = stream
        hints = ReadHints(SORT_COLUMNS[stream], distinct)
        self.writer = PartWriter(self._file, stream, Compression(Codec.ZSTD, limits.level), hints)
        self.rows = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def write(self, table: pa.Table) -> None:
        self.writer.write(table)
        self.rows += table.num_rows
        ends = pc.min_max(table[time_column(self._stream)]).as_py()
        self.first_us = ends["min"] if self.first_us is None else min(self.first_us, ends["min"])
        self.last_us = ends["max"] if self.last_us is None else max(self.last_us, ends["max"])

    def seal(self, footer: dict[str, str]) -> None:
        with self._file:
            self.writer.seal(footer)
            sync_open(self._file)

    def discard(self) -> None:
        self.writer.discard()
        with contextlib.suppress(OSError):  # of the buffered bytes: the file is removed anyway
            self._file.close()
        self._path.unlink(missing_ok=True)


def _sources(files: Sequence[File]) -> tuple[footers.SourceChunk, ...]:
    return tuple(sorted({source for file in files for source in file.sources}, key=lambda one: one.chunk))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
