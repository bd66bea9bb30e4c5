"""Reads rows, repeats and all, and makes them events again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from services.tools.query.rebuild import rebuild
from testing.proof.audit.canonical import Event, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, Any]

_ROWS_AT_ONCE = 20_000


def rebuild_events(root: Path, stream: str) -> Iterator[Event]:
    """Yield the event of every row of one of Jetstream's streams, in no particular order."""
    for row in _rows(root, stream):
        yield rebuild(stream, row, parse, parse)


def rebuild_frames(root: Path) -> Iterator[bytes]:
    """Yield the frame of every row of `rejects`."""
    for row in _rows(root, "rejects"):
        yield row["frame"]


def count_rows(root: Path, stream: str) -> int:
    """Return how many rows a stream has."""
    if not any((root / "raw" / stream).glob("**/*.parquet")):
        return 0
    with _quiet() as connection:
        found = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [_pattern(root, stream)]
        ).fetchone()
    assert found is not None
    return int(found[0])


def _rows(root: Path, stream: str) -> Iterator[Row]:
    if not any((root / "raw" / stream).glob("**/*.parquet")):
        return
    with _quiet() as connection:
        parts = connection.read_parquet(_pattern(root, stream), hive_partitioning=False, union_by_name=True)
        columns = [
            f'epoch_us("{name}") AS "{name}"' if str(kind).startswith("TIMESTAMP") else f'"{name}"'
            for name, kind in zip(parts.columns, parts.types, strict=True)
            if name != "event_time"
        ]
        for batch in parts.project(", ".join(columns)).to_arrow_reader(_ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _quiet() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that draws no progress bars on a slow machine."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


def _pattern(root: Path, stream: str) -> str:
    return str(root / "raw" / stream / "**" / "*.parquet")
