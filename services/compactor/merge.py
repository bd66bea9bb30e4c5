"""The files of one hour become few: each event once, sorted. Memory is bounded.

Rows stream from DuckDB, which sorts on disk what does not fit, to the Parquet writer, a row group at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from services.archive.duckdb import engine
from services.archive.footer import Counts, rows_in, split, total
from services.archive.parquet import check_rows
from services.archive.schema import BLOOM_COLUMNS, ROWS_PER_ROW_GROUP, SCHEMAS, SORT_COLUMNS
from services.compactor.duplicates import find_dropped, find_lost, has_dropped
from services.compactor.job import READ
from services.compactor.outgoing import Outgoing
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from services.archive.manifest import Output
    from services.compactor.job import Job, MergeLimits

_ROWS_AT_ONCE = 16 * 1024


@dataclass(frozen=True)
class Merged:
    """What came of it: files that are durable, in the folder that was given."""

    outputs: tuple[Output, ...]
    duplicates: int
    dropped: dict[str, int]
    """Rows that `drop` left out, by reason."""
    removed: Counts
    """All of these, by epoch and source stream."""


def merge(job: Job, folder: Path, scratch: Path, bounds: MergeLimits) -> Merged:
    """Write the hour's rows, each event once and sorted, to files in `folder`; `scratch` is for sorting.

    Transient: a file was replaced meanwhile, or there is no room; to be done again from the start.
    DamagedFile: a file is damaged. BrokenInvariant: rows do not add up.
    """
    with engine(scratch, bounds.memory_mb, f"merge {job.directory}") as database:
        for file in job.files:
            check_rows(job.directory / file.name)
        return _merge(database, job, folder, bounds)


def has_duplicates(job: Job, scratch: Path, bounds: MergeLimits) -> bool:
    """Whether `merge` would leave a row out that is there already. Raises as it does."""
    with engine(scratch, bounds.memory_mb, f"compare {job.directory}") as database:
        return bool(sum(find_lost(database, job).values()))


def would_drop(job: Job, scratch: Path, bounds: MergeLimits) -> bool:
    """Whether `merge` would leave a row out that `drop` speaks of. Raises as it does."""
    with engine(scratch, bounds.memory_mb, f"search {job.directory}") as database:
        return has_dropped(database, job)


def _merge(database: duckdb.DuckDBPyConnection, job: Job, folder: Path, bounds: MergeLimits) -> Merged:
    lost = find_lost(database, job)
    duplicates = sum(lost.values())
    dropped = find_dropped(database, job)
    removed_now: list[Counts] = []
    kept: list[Counts] = []
    for index, file in enumerate(job.files):
        of_file = sum(by_file.get(index, 0) for by_file in (lost, *dropped.values()))
        gone, stays = split(file.counts, of_file)
        removed_now.append(gone)
        kept.append(stays)
    files = Outgoing(
        job=job,
        folder=folder,
        bounds=bounds,
        left=total(*kept),
        removed=total(*(file.removed for file in job.files), *removed_now),
        duplicates=duplicates + sum(file.duplicates for file in job.files),
        distinct=_distinct(database, job),
    )
    rows = rows_in(total(*kept))
    for table in _tables(database, job):
        files.write(table)
    outputs = files.end()
    if sum(output.rows for output in outputs) != rows:
        raise BrokenInvariant(
            f"{job.directory}: {sum(output.rows for output in outputs)} rows were merged instead of {rows}; "
            "nothing was replaced"
        )
    by_reason = {reason: sum(by_file.values()) for reason, by_file in dropped.items()}
    return Merged(outputs, duplicates, by_reason, total(*removed_now))


def _distinct(database: duckdb.DuckDBPyConnection, job: Job) -> dict[str, int]:
    """Return about how many values a row group has of each column that is searched."""
    found = {}
    for column in BLOOM_COLUMNS.get(job.stream, ()):
        query = f"SELECT approx_count_distinct({column}) FROM {READ}"
        row = database.execute(query, [job.paths]).fetchone()
        found[column] = min(int(row[0]) if row else 1, ROWS_PER_ROW_GROUP)
    return found


def _tables(database: duckdb.DuckDBPyConnection, job: Job) -> Iterator[pa.Table]:
    """Yield the rows that stay, sorted, a row group at a time."""
    schema = SCHEMAS[job.stream]
    described = database.execute(f"DESCRIBE SELECT * FROM {READ}", [job.paths]).fetchall()
    there = {row[0] for row in described}
    columns = ", ".join(name if name in there else f"NULL AS {name}" for name in schema.names)
    order = ", ".join(SORT_COLUMNS[job.stream])
    query = f"""
        SELECT {columns} FROM {READ} AS mine
        ANTI JOIN lost ON lost.f = mine.file_index AND lost.r = mine.file_row_number
        ORDER BY {order}, mine.file_index, mine.file_row_number
    """
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in database.sql(query, params=[job.paths]).to_arrow_reader(_ROWS_AT_ONCE):
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_PER_ROW_GROUP:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROWS_PER_ROW_GROUP).cast(schema)
            rest = table.slice(ROWS_PER_ROW_GROUP)
            waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting).cast(schema)
