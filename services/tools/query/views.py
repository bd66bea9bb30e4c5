"""DuckDB over the archive: one view a stream; duplicates in hours that are not compacted yet are hidden.

The connection can read files of the archive only. Its database is in memory.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from services.archive.duckdb import connect
from services.archive.paths import SPILL
from services.archive.schema import IDENTITY_COLUMNS, SCHEMAS
from services.shared.event import Stream
from services.tools.query.parts import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow.dataset as ds

    from services.tools.query.parts import PartFile

_PARTITION = ("day", "hour", "month", "year")
_HIVE = ", ".join(f"{name}: INT" for name in _PARTITION)
_SPILL_BYTES = 20_000_000_000


@contextmanager
def connected(root: Path, memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that can read files below `root` (an absolute path) only.

    Beyond the memory limit it spills to `.state/spill`, because `/tmp` of a container is memory. The
    spill takes half of the free disk space at most, because the writer needs the rest.
    """
    spill = root / SPILL
    room = min(_SPILL_BYTES, shutil.disk_usage(root).free // 2)
    with connect(memory_mb, spill, threads=None, spill_bytes=room) as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET allowed_directories = [{literal(f'{root}/')}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def create_views(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    streams: Sequence[Stream] = tuple(Stream),
    remote: Mapping[Stream, ds.Dataset] = MappingProxyType({}),
) -> None:
    """Create a view of each stream over its current parts; a stream without parts has an empty view.

    `remote` are datasets of files that are only in the bucket.
    """
    parts = find(root, streams).parts
    for stream in streams:
        mine = [part for part in parts if part.stream is stream]
        query = relation(stream, mine) if mine else _empty(stream)
        if stream in remote:
            connection.register(f"far_{stream}", remote[stream])
            query = f"({query}) UNION ALL BY NAME (SELECT * FROM far_{stream})"  # noqa: S608 - our own names
        connection.execute(f"CREATE OR REPLACE VIEW {stream} AS {query}")


def relation(stream: Stream, parts: Sequence[PartFile]) -> str:
    """Return a query of all columns of these parts that returns each event once within its hour.

    Only hours with parts that are not compacted are searched for duplicates. Filters on year, month, day and
    hour still skip files.
    """
    compacted, uncompacted = _by_state(parts)
    chosen = []
    if compacted:
        chosen.append(f"SELECT * FROM {scan(compacted)}")  # noqa: S608 - quoted paths
    if uncompacted:
        once = ", ".join(f'"{name}"' for name in (*_PARTITION, *IDENTITY_COLUMNS[stream]))
        first = f"QUALIFY row_number() OVER (PARTITION BY {once}) = 1"
        chosen.append(f"SELECT * FROM {scan(uncompacted)} {first}")  # noqa: S608 - as above
    return " UNION ALL BY NAME ".join(f"({query})" for query in chosen)


def scan(paths: Iterable[Path], *, more: str = "") -> str:
    """Return the call of DuckDB's read_parquet for these files; `more` are further arguments."""
    files = ", ".join(literal(str(path)) for path in paths)
    hive = f"hive_partitioning = true, hive_types = {{{_HIVE}}}, union_by_name = true"
    return f"read_parquet([{files}], {hive}{more})"


def literal(text: str) -> str:
    """Return a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _by_state(parts: Sequence[PartFile]) -> tuple[list[Path], list[Path]]:
    """Return the files of fully compacted hours, and those of all other hours."""
    uncompacted = {part.hour for part in parts if not part.name.is_compacted}
    return (
        [part.path for part in parts if part.hour not in uncompacted],
        [part.path for part in parts if part.hour in uncompacted],
    )


def _empty(stream: Stream) -> str:
    """Return a query with the columns of a stream and no rows."""
    columns = [f'CAST(NULL AS {_sql_type(field.type)}) AS "{field.name}"' for field in SCHEMAS[stream]]
    columns += [f"CAST(NULL AS INT) AS {name}" for name in _PARTITION]
    return f"SELECT {', '.join(columns)} WHERE false"


def _sql_type(kind: pa.DataType) -> str:
    names = {pa.int64(): "BIGINT", pa.string(): "VARCHAR", pa.binary(): "BLOB", pa.bool_(): "BOOLEAN"}
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return "VARCHAR[]" if pa.types.is_list(kind) else names[kind]
