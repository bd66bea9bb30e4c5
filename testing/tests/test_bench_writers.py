"""The contestants of path 2 write the same rows of the same columns from the same events."""

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
from testing.performance.bench.frames import fill, make_frames
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
    """Return the writer's rows of the events, without those that have `extra`."""
    encoded = encode(stream, frames.by_stream[stream])
    assert not encoded.rejected
    table = pa.concat_tables([part.table for part in encoded.parts])
    return table.filter(pc.is_null(table["extra"]))


def rows(table: pa.Table, columns: list[str]) -> Counter[tuple[Any, ...]]:
    """Return the rows, unordered: instants as milliseconds, open JSON as its value."""
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


def check(frames: Frames, folder: Path) -> None:
    """Compare a contestant's files with the writer's rows: as many, and those without `extra` equal."""
    for stream, names in COLUMNS.items():
        parts = sorted(folder.glob(f"{stream}.parquet"))
        expected = len(frames.by_stream.get(stream, []))
        assert sum(pq.read_metadata(part).num_rows for part in parts) == expected
        if not expected:
            continue
        theirs = pa.concat_tables([pq.read_table(part) for part in parts])
        # DuckDB and Polars parse unusual times differently, and those of `records` leave nothing in `extra`.
        compared = [name for name in names if (stream, name) != (Stream.RECORDS, "created_at")]
        table = ours(frames, stream)
        assert table.num_rows > 0.8 * expected
        assert not rows(table, compared) - rows(theirs, compared), stream


def test_duckdb_writes_the_writer_s_rows(tmp_path: Path, frames: Frames) -> None:
    frames.split(tmp_path)
    assert run("testing.performance.bench.writers.duck", str(tmp_path), "1").events == EVENTS
    check(frames, tmp_path)


def test_the_naive_script_writes_the_writer_s_rows(
    tmp_path: Path, frames: Frames, redis_server: RedisServer
) -> None:
    assert fill(redis_server.url("tools"), frames) == EVENTS
    assert (
        run("testing.performance.bench.writers.naive", redis_server.url("tools"), str(tmp_path)).events
        == EVENTS
    )
    check(frames, tmp_path)
