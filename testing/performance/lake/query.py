"""The time of typical queries on an archive, and the number and size of its files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from services.shared.event import JETSTREAM_STREAMS

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = {
    "posts by language": (
        "posts",
        (
            "SELECT lang, count(*) FROM (SELECT unnest(langs) AS lang FROM {files}) "
            "GROUP BY ALL ORDER BY 2 DESC LIMIT 10"
        ),
    ),
    "most liked": (
        "likes",
        (
            "SELECT subject_uri, count(*) FROM {files} WHERE operation = 'create' "
            "GROUP BY ALL ORDER BY 2 DESC LIMIT 10"
        ),
    ),
    "posts with a word": ("posts", "SELECT count(*) FROM {files} WHERE text ILIKE '%coffee%'"),
    "one account's likes": ("likes", "SELECT count(*) FROM {files} WHERE did = '{did}'"),
    "one account's posts": ("posts", "SELECT count(*) FROM {files} WHERE did = '{did}'"),
    "likes of one post": ("likes", "SELECT count(*) FROM {files} WHERE subject_uri = '{uri}'"),
}


class Size(NamedTuple):
    """Number and bytes of a stream's files."""

    files: int
    bytes: int


def sizes(root: Path) -> dict[str, Size]:
    """Return number and bytes of every stream's files."""
    found = {}
    for stream in JETSTREAM_STREAMS:
        parts = [path.stat().st_size for path in (root / "raw" / stream).rglob("*.parquet")]
        found[stream.value] = Size(len(parts), sum(parts))
    return found


def query_seconds(root: Path) -> dict[str, float]:
    """Return the seconds of each query, the best of three runs."""
    with duckdb.connect() as database:
        did, uri = _typical(database, root)
        found = {}
        for name, (stream, query) in QUERIES.items():
            files = f"read_parquet('{root}/raw/{stream}/**/*.parquet')"
            sql = query.format(files=files, did=did, uri=uri)
            found[name] = min(_timed(database, sql) for _ in range(3))
        return found


def _typical(database: duckdb.DuckDBPyConnection, root: Path) -> tuple[str, str]:
    query = (
        "SELECT did, subject_uri FROM read_parquet(?) WHERE subject_uri IS NOT NULL ORDER BY time_us LIMIT 1"
    )
    row = database.execute(query, [f"{root}/raw/likes/**/*.parquet"]).fetchone()
    assert row is not None
    return row[0], row[1]


def _timed(database: duckdb.DuckDBPyConnection, query: str) -> float:
    began = time.perf_counter()
    database.execute(query).fetchall()
    return time.perf_counter() - began
