"""`archive export`: writes the original events as JSON lines, ordered by time, each once."""

from __future__ import annotations

import heapq
import sys
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads annotations at runtime
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import msgspec
import pyarrow as pa
import typer

from services.archive.paths import HOUR_US, hour_start
from services.archive.schema import SCHEMAS
from services.shared.errors import BadInput
from services.shared.event import JETSTREAM_STREAMS, Stream
from services.tools.query.parts import find, read_time
from services.tools.query.rebuild import Row, rebuild
from services.tools.query.tiers import bucket_for, datasets_of, remote_files
from services.tools.query.views import connected, literal, relation
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import duckdb
    import pyarrow.dataset as ds

_ROWS_AT_ONCE = 2048
_LAST_US = 1 << 62
_LEVELS = msgspec.json.Decoder(dict[str, dict[str, msgspec.Raw] | list[str]])


def export(
    *,
    begin: Annotated[
        str, typer.Option("--from", help="Only events at or after this time, e.g. 2026-07-04T14.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Only events before this time.")] = "",
    stream: Annotated[
        list[str] | None, typer.Option(help="Only events of this stream; may be repeated.")
    ] = None,
    did: Annotated[
        list[str] | None, typer.Option(help="Only events of this account; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Write events as Jetstream sent them, as JSON lines ordered by time, each once."""
    given = settings()
    interval = (read_time(begin) if begin else 0, read_time(end) if end else _LAST_US)
    streams = read_streams(stream or JETSTREAM_STREAMS)
    remote = remote_files(given.root, streams, range(interval[0] // HOUR_US, interval[1] // HOUR_US + 1))
    bucket = bucket_for(given, remote, "export")
    remote_data = (
        None
        if bucket is None
        else RemoteData(datasets_of(bucket, remote), {(one.stream, one.hour) for one in remote})
    )
    with connected(given.root, given.tools_memory_mb) as connection, _open(out) as sink:
        for line in lines(connection, given.root, streams, interval, did or (), remote_data):
            sink.write(line)


class RemoteData(NamedTuple):
    """Files that are only in the bucket."""

    datasets: Mapping[Stream, ds.Dataset]
    hours: AbstractSet[tuple[Stream, int]]


def read_streams(names: Iterable[str]) -> list[Stream]:
    """Return the streams of events with these names. Raises BadInput, which lists all names."""
    wrong = [name for name in names if name not in JETSTREAM_STREAMS]
    if wrong:
        raise BadInput(f"{wrong[0]!r} is no stream of events; streams are {', '.join(JETSTREAM_STREAMS)}")
    return [Stream(name) for name in names]


def lines(  # noqa: PLR0913, PLR0917 - what is read, and what of it
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    streams: Sequence[Stream],
    interval: tuple[int, int],
    dids: Sequence[str] = (),
    remote_data: RemoteData | None = None,
) -> Iterator[bytes]:
    """Yield the JSON line of each event, hour by hour.

    `interval` has the first time and the end, in Unix microseconds. Raises DuckDB's errors.
    """
    hours = range(interval[0] // HOUR_US, interval[1] // HOUR_US + 1)
    parts = find(root, streams, hours).parts
    remote = remote_data.hours if remote_data is not None else frozenset()
    for hour in sorted({part.hour for part in parts} | {hour for _, hour in remote}):
        of_streams = []
        for stream in streams:
            cursor = connection.cursor()
            mine = [part for part in parts if part.hour == hour and part.stream is stream]
            rows = [relation(stream, mine)] if mine else []
            if remote_data is not None and (stream, hour) in remote:
                cursor.register("remote", remote_data.datasets[stream])
                rows.append(f"SELECT * FROM remote WHERE {_is_hour(hour)}")  # noqa: S608 - our own numbers
            of_streams.append(_of_hour(cursor, stream, rows, interval, dids))
        for _, line in heapq.merge(*of_streams, key=lambda one: one[0]):
            yield line


def line_of(stream: Stream, row: Row) -> bytes:
    """Return the event of a row as a JSON line; JSON inside columns is passed on unchanged."""
    return msgspec.json.encode(rebuild(stream, row, _raw, _LEVELS.decode)) + b"\n"


def _of_hour(
    connection: duckdb.DuckDBPyConnection,
    stream: Stream,
    rows: Sequence[str],
    interval: tuple[int, int],
    dids: Sequence[str],
) -> Iterator[tuple[int, bytes]]:
    if not rows:
        return
    relations = " UNION ALL BY NAME ".join(f"({query})" for query in rows)
    columns = ", ".join(_column(field) for field in SCHEMAS[stream] if field.name != "event_time")
    wanted = f"time_us >= {interval[0]} AND time_us < {interval[1]}"
    if dids:
        wanted += f" AND did IN ({', '.join(map(literal, dids))})"
    query = f"SELECT {columns} FROM ({relations}) WHERE {wanted} ORDER BY time_us, cursor"  # noqa: S608 - our own names, quoted texts
    for batch in connection.sql(query).to_arrow_reader(_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            yield row["time_us"], line_of(stream, row)


def _is_hour(hour: int) -> str:
    start = hour_start(hour)
    return f"year = {start.year} AND month = {start.month} AND day = {start.day} AND hour = {start.hour}"


def _column(field: pa.Field) -> str:
    return (
        f'epoch_us("{field.name}") AS "{field.name}"'
        if pa.types.is_timestamp(field.type)
        else f'"{field.name}"'
    )


def _raw(text: str) -> Any:
    return msgspec.Raw(text.encode())


@contextmanager
def _open(out: Path | None) -> Iterator[BinaryIO]:
    """Yield the output; a file gets its name only when it is complete."""
    if out is None:
        yield sys.stdout.buffer
        return
    partial = out.with_name(f"{out.name}.partial")
    with partial.open("wb") as file:
        yield file
    partial.replace(out)
