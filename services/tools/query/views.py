"""DuckDB over the archive: a view a stream, where repeats of hours that are not compacted yet are hidden.

The connection reads the archive and nothing else, and writes nowhere: its database is in memory.
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
    """Give a connection that can read below `root` (absolute) and nowhere else.

    What exceeds the memory goes to `.state/spill`: in a container `/tmp` is memory too. The spill never takes
    more than half of the free disk space, for the writer needs it.
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
    far: Mapping[Stream, ds.Dataset] = MappingProxyType({}),
) -> None:
    """Make a view of each stream as it lies there now; one without parts is empty and has all columns.

    `far`: what of a stream lies elsewhere, in addition.
    """
    parts = find(root, streams).parts
    for stream in streams:
        mine = [part for part in parts if part.stream is stream]
        query = relation(stream, mine) if mine else _empty(stream)
        if stream in far:
            connection.register(f"far_{stream}", far[stream])
            query = f"({query}) UNION ALL BY NAME (SELECT * FROM far_{stream})"  # noqa: S608 - our own names
        connection.execute(f"CREATE OR REPLACE VIEW {stream} AS {query}")


def relation(stream: Stream, parts: Sequence[PartFile]) -> str:
    """Return the query of all columns of these parts, each event once within its hour.

    Only hours that hold more than one compacted file's rows are searched for repeats; filters on the
    partition's columns reach the files through that search.
    """
    settled, unsettled = _by_state(parts)
    chosen = []
    if settled:
        chosen.append(f"SELECT * FROM {scan(settled)}")  # noqa: S608 - quoted paths
    if unsettled:
        once = ", ".join(f'"{name}"' for name in (*_PARTITION, *IDENTITY_COLUMNS[stream]))
        first = f"QUALIFY row_number() OVER (PARTITION BY {once}) = 1"
        chosen.append(f"SELECT * FROM {scan(unsettled)} {first}")  # noqa: S608 - as above
    return " UNION ALL BY NAME ".join(f"({query})" for query in chosen)


def scan(paths: Iterable[Path], *, more: str = "") -> str:
    """Return the table function that reads these files; `more` are further arguments of it."""
    files = ", ".join(literal(str(path)) for path in paths)
    hive = f"hive_partitioning = true, hive_types = {{{_HIVE}}}, union_by_name = true"
    return f"read_parquet([{files}], {hive}{more})"


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _by_state(parts: Sequence[PartFile]) -> tuple[list[Path], list[Path]]:
    """Return the files of hours that are compacted whole, and those of all other hours."""
    unsettled = {part.hour for part in parts if not part.name.is_compacted}
    return (
        [part.path for part in parts if part.hour not in unsettled],
        [part.path for part in parts if part.hour in unsettled],
    )


def _empty(stream: Stream) -> str:
    """Return a query with the stream's columns and no row."""
    columns = [f'CAST(NULL AS {_sql_type(field.type)}) AS "{field.name}"' for field in SCHEMAS[stream]]
    columns += [f"CAST(NULL AS INT) AS {name}" for name in _PARTITION]
    return f"SELECT {', '.join(columns)} WHERE false"


def _sql_type(kind: pa.DataType) -> str:
    names = {pa.int64(): "BIGINT", pa.string(): "VARCHAR", pa.binary(): "BLOB", pa.bool_(): "BOOLEAN"}
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return "VARCHAR[]" if pa.types.is_list(kind) else names[kind]
