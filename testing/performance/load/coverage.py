"""What an archive says of itself where no truth is known: the rows of every hour, and rows of one event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from services.shared.event import JETSTREAM_STREAMS

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"identities": "did, relay_seq", "accounts": "did, relay_seq"}
COMMIT = "did, rev, collection, rkey, operation"


def rows_by_hour(root: Path) -> dict[str, int]:
    """Return how many events each hour holds, from the first to the last, empty ones with 0."""
    counts: dict[int, int] = {}
    for stream in JETSTREAM_STREAMS:
        for hour, rows in _ask(root, stream, "time_us // 3600000000 AS hour, count(*)", "GROUP BY 1"):
            counts[int(hour)] = counts.get(int(hour), 0) + int(rows)
    if not counts:
        return {}
    hours = range(min(counts), max(counts) + 1)
    return {
        datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:00"): counts.get(hour, 0)
        for hour in hours
    }


def doubled(root: Path) -> int:
    """Return how many rows there are beyond the first of an event."""
    beyond = 0
    for stream in JETSTREAM_STREAMS:
        identity = IDENTITY.get(stream, COMMIT)
        for rows, events in _ask(root, stream, f"count(*), count(DISTINCT hash({identity}))", ""):
            beyond += int(rows) - int(events)
    return beyond


def _ask(root: Path, stream: str, what: str, grouped: str) -> list[tuple[int, int]]:
    if not any((root / "raw" / stream).rglob("*.parquet")):
        return []
    with duckdb.connect() as connection:
        sql = f"SELECT {what} FROM read_parquet(?) {grouped}"  # noqa: S608 - our own words
        found: list[tuple[int, int]] = connection.execute(
            sql, [f"{root}/raw/{stream}/**/*.parquet"]
        ).fetchall()
    return found
