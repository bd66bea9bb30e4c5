"""A naive writer: LRANGE, `json.loads`, `pl.DataFrame`, `write_parquet`.

It reads the Redis list, as the archive's writer does, and syncs nothing; one file per stream and chunk.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import redis

from services.buffer.keys import buffer_key
from testing.performance.bench.child import SECONDS, Stopwatch
from testing.performance.bench.writers.columns import CHUNK, COLUMNS, ENDS, LEVEL, OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polars.datatypes import DataType

    from services.shared.event import Stream

_INTEGERS = ("time_us", "cursor", "relay_seq")
_TIMES = ("event_time", "created_at", "relay_time")


def row(event: dict[str, Any], stream: Stream) -> dict[str, Any]:
    """Return an event's values by column, including columns that its stream lacks."""
    commit = event.get("commit", {})
    whole = _inside(commit.get("record"))
    # Of a record of another collection only `createdAt` has a column.
    record = {"createdAt": whole.get("createdAt")} if stream == "records" else whole
    body = event.get("identity") or event.get("account") or {}
    subject = record.get("subject")
    ref, via, reply = _inside(subject), _inside(record.get("via")), _inside(record.get("reply"))
    return {
        "time_us": event["time_us"],
        "event_time": event["time_us"] // 1000,
        "did": event["did"],
        "cursor": event.get("cursor"),
        **{name: commit.get(name) for name in ("operation", "collection", "rkey", "rev", "cid")},
        "created_at": record.get("createdAt"),
        "subject_did": subject,
        "subject_uri": ref.get("uri"),
        "subject_cid": ref.get("cid"),
        "via_uri": via.get("uri"),
        "via_cid": via.get("cid"),
        **{name: record.get(name) for name in ("text", "langs", "tags")},
        **{f"reply_{end}_{key}": _inside(reply.get(end)).get(key) for end in ENDS for key in ("uri", "cid")},
        "embed_type": _inside(record.get("embed")).get("$type"),
        **{name: _text(record.get(name)) for name in OPEN if name != "record"},
        "record": _text(commit.get("record")) if stream == "records" else None,
        "handle": body.get("handle"),
        "active": body.get("active"),
        "status": body.get("status"),
        "relay_seq": body.get("seq"),
        "relay_time": body.get("time"),
    }


def tabulate(events: Sequence[bytes | str], stream: Stream) -> pl.DataFrame:
    """Return the events as a table of the stream's columns."""
    rows = [row(json.loads(event), stream) for event in events]
    schema = {name: _type(name) for name in COLUMNS[stream]}
    found = pl.DataFrame({name: [one[name] for one in rows] for name in schema}, schema=schema, strict=False)
    times = [
        pl.col(name).str.to_datetime(time_unit="ms", time_zone="UTC", strict=False) for name in _TIMES[1:]
    ]
    return found.with_columns(*(one for one in times if one.meta.output_name() in schema))


def _type(name: str) -> DataType:
    if name in _INTEGERS:
        return pl.Int64()
    if name in ("langs", "tags"):
        return pl.List(pl.String())
    if name == "active":
        return pl.Boolean()
    return pl.Datetime("ms", "UTC") if name == "event_time" else pl.String()


def _inside(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one: clients write any JSON."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(redis_url: str, folder: Path) -> None:
    """Write every buffer to Parquet files in `folder`."""
    server = redis.Redis.from_url(redis_url, socket_timeout=SECONDS)
    server.ping()
    watch, rows = Stopwatch(), 0
    for stream in COLUMNS:
        at = 0
        while events := server.lrange(buffer_key(stream), at, at + CHUNK - 1):
            name = f"{stream}.parquet" if not at else f"{stream}-{at}.parquet"
            tabulate(events, stream).write_parquet(folder / name, compression="zstd", compression_level=LEVEL)
            at += len(events)
        rows += at
    watch.print_figures(rows, sum(part.stat().st_size for part in folder.glob("*.parquet")))


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
