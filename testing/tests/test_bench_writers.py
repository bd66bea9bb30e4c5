"""Path 2's contestants: from the same events they make the same rows of the same columns."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from services.data_writer.encoding.encode import encode
from services.shared.event import Stream
from testing.demo.source import Generated
from testing.performance.bench.child import run
from testing.performance.bench.filling import fill
from testing.performance.bench.frames import make_frames
from testing.performance.bench.writers.arrow import LEFT_OUT
from testing.performance.bench.writers.columns import COLUMNS, OPEN
from testing.proof.audit.canonical import canonical

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.redis import RedisServer
    from testing.performance.bench.frames import Frames

EVENTS = 4_000
FIRST_US = 1_783_175_888_000_000
INSTANTS = ("event_time", "created_at", "relay_time")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    return make_frames(tmp_path_factory.mktemp("frames"), Generated(EVENTS / 500, 500.0, 3), FIRST_US)


def ours(frames: Frames, stream: Stream) -> pa.Table:
    """Return what the writer makes of the events, but those of which it keeps something in `extra`."""
    encoded = encode(stream, frames.by_stream[stream])
    assert not encoded.rejected
    table = pa.concat_tables([part.table for part in encoded.parts])
    return table.filter(pc.is_null(table["extra"]))


def rows(table: pa.Table, columns: list[str]) -> Counter[tuple[Any, ...]]:
    """Return the rows, in no order: instants as milliseconds, open JSON as its value."""
    values = []
    for name in columns:
        column = table[name].combine_chunks()
        if name in INSTANTS:
            column = column.cast(pa.timestamp("ms", column.type.tz)).cast(pa.int64())
        read = column.to_pylist()
        if name in OPEN:
            read = [None if one is None else canonical(json.loads(one)) for one in read]
        values.append([tuple(one) if isinstance(one, list) else one for one in read])
    return Counter(zip(*values, strict=True))


def check(frames: Frames, folder: Path, left_out: tuple[str, ...] = ()) -> None:
    """Hold what a contestant wrote against ours: all rows there, and those without `extra` equal."""
    for stream, names in COLUMNS.items():
        parts = sorted(folder.glob(f"{stream}.parquet"))
        expected = len(frames.by_stream.get(stream, []))
        assert sum(pq.read_metadata(part).num_rows for part in parts) == expected
        if not expected:
            continue
        theirs = pa.concat_tables([pq.read_table(part) for part in parts])
        # Times that are no usual ones are read differently, and a record's leave nothing in `extra`.
        compared = [name for name in names if (stream, name) != (Stream.RECORDS, "created_at")]
        wanted = [name for name in compared if name in theirs.schema.names]
        assert set(compared) - set(wanted) <= set(left_out)
        table = ours(frames, stream)
        assert table.num_rows > 0.8 * expected
        assert not rows(table, wanted) - rows(theirs, wanted), stream


def test_duckdb_makes_the_writers_rows(tmp_path: Path, frames: Frames) -> None:
    frames.split(tmp_path)
    assert run("testing.performance.bench.writers.duck", str(tmp_path), "1").events == EVENTS
    check(frames, tmp_path)


def test_polars_makes_the_writers_rows(tmp_path: Path, frames: Frames) -> None:
    frames.split(tmp_path)
    assert run("testing.performance.bench.writers.lazy", str(tmp_path)).events == EVENTS
    check(frames, tmp_path)


def test_pyarrow_makes_the_writers_rows_without_open_json(tmp_path: Path, frames: Frames) -> None:
    frames.split(tmp_path)
    assert run("testing.performance.bench.writers.arrow", str(tmp_path)).events == EVENTS
    assert set(OPEN) < set(LEFT_OUT)
    check(frames, tmp_path, LEFT_OUT)


def test_a_plain_writer_makes_the_writers_rows(
    tmp_path: Path, frames: Frames, redis_server: RedisServer
) -> None:
    assert fill(redis_server.url("tools"), frames) == EVENTS
    assert (
        run("testing.performance.bench.writers.frame", redis_server.url("tools"), str(tmp_path)).events
        == EVENTS
    )
    check(frames, tmp_path)


def test_the_limit_reads_and_writes_every_row(
    tmp_path: Path, frames: Frames, redis_server: RedisServer
) -> None:
    fill(redis_server.url("tools"), frames)
    found = run("testing.performance.bench.writers.limit", redis_server.url("tools"), str(tmp_path))
    parts = list(tmp_path.glob("*-*.parquet"))
    assert found.events == sum(pq.read_metadata(part).num_rows for part in parts) == EVENTS
    assert found.bytes == sum(part.stat().st_size for part in parts)
