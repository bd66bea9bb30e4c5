"""polars, lazily: `scan_ndjson(…, schema=…)` to `sink_parquet(…)`, one a stream. From a file, not synced."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from services.shared.event import Stream
from testing.performance.bench.child import Stopwatch
from testing.performance.bench.writers.columns import COLUMNS, COMMITS, ENDS, LEVEL, OPEN

if TYPE_CHECKING:
    from polars.datatypes import DataType

_TEXT = pl.String()
_REF = pl.Struct({"uri": _TEXT, "cid": _TEXT})
_RECORD_OF: dict[Stream, DataType] = {
    Stream.LIKES: pl.Struct({"createdAt": _TEXT, "subject": _REF, "via": _REF}),
    Stream.REPOSTS: pl.Struct({"createdAt": _TEXT, "subject": _REF, "via": _REF}),
    Stream.FOLLOWS: pl.Struct({"createdAt": _TEXT, "subject": _TEXT}),
    Stream.POSTS: pl.Struct(
        {
            "createdAt": _TEXT,
            "text": _TEXT,
            "langs": pl.List(_TEXT),
            "tags": pl.List(_TEXT),
            "reply": pl.Struct({"root": _REF, "parent": _REF}),
            **{name: _TEXT for name in OPEN if name != "record"},
        }
    ),
    Stream.RECORDS: _TEXT,
}


def instant(text: pl.Expr) -> pl.Expr:
    """Return the instants of RFC 3339 texts; null where one is none."""
    return text.str.to_datetime(time_unit="ms", time_zone="UTC", strict=False)


def types(stream: Stream) -> dict[str, DataType]:
    """Return the schema of a stream's JSON."""
    kinds: dict[str, DataType] = {"did": _TEXT, "time_us": pl.Int64(), "cursor": pl.Int64()}
    if stream in COMMITS:
        names = dict.fromkeys(("rev", "operation", "collection", "rkey", "cid"), _TEXT)
        kinds["commit"] = pl.Struct({**names, "record": _RECORD_OF[stream]})
    elif stream is Stream.IDENTITIES:
        kinds["identity"] = pl.Struct({"seq": pl.Int64(), "time": _TEXT, "handle": _TEXT})
    else:
        kinds["account"] = pl.Struct(
            {"seq": pl.Int64(), "time": _TEXT, "active": pl.Boolean(), "status": _TEXT}
        )
    return kinds


def select(stream: Stream) -> list[pl.Expr]:
    """Return the expressions of a stream's columns."""
    inside = "identity" if stream is Stream.IDENTITIES else "account"
    commit = pl.col("commit").struct
    around = pl.col(inside).struct
    own = {
        "event_time": pl.from_epoch("time_us", "us").dt.replace_time_zone("UTC").dt.cast_time_unit("ms"),
        **{name: commit.field(name) for name in ("operation", "collection", "rkey", "rev", "cid")},
        "record": commit.field("record"),
        **{name: around.field(name) for name in ("handle", "active", "status")},
        "relay_seq": around.field("seq"),
        "relay_time": instant(around.field("time")),
        "created_at": instant(commit.field("record").str.json_path_match("$.createdAt")),
    }
    if stream in COMMITS and stream is not Stream.RECORDS:
        own |= _of_record(commit.field("record").struct, stream)
    return [own.get(name, pl.col(name)).alias(name) for name in COLUMNS[stream]]


def _of_record(record: pl.expr.struct.ExprStructNameSpace, stream: Stream) -> dict[str, pl.Expr]:
    own = {"created_at": instant(record.field("createdAt"))}
    if stream is Stream.FOLLOWS:
        return own | {"subject_did": record.field("subject")}
    if stream is Stream.POSTS:
        reply = record.field("reply").struct
        return (
            own
            | {name: record.field(name) for name in ("text", "langs", "tags", "embed", "facets", "labels")}
            | {
                f"reply_{end}_{key}": reply.field(end).struct.field(key)
                for end in ENDS
                for key in ("uri", "cid")
            }
            | {"embed_type": record.field("embed").str.json_path_match("$['$type']")}
        )
    return own | {
        f"{name}_{key}": record.field(name).struct.field(key)
        for name in ("subject", "via")
        for key in ("uri", "cid")
    }


def sink(folder: Path) -> None:
    """Write every `<stream>.ndjson` in `folder` as Parquet beside it."""
    watch, rows = Stopwatch(), 0
    for stream in COLUMNS:
        source = folder / f"{stream}.ndjson"
        if not source.stat().st_size:
            continue
        target = folder / f"{stream}.parquet"
        scanned = pl.scan_ndjson(source, schema=types(stream)).select(select(stream))
        scanned.sink_parquet(target, compression="zstd", compression_level=LEVEL)
        rows += pl.scan_parquet(target).select(pl.len()).collect().item()
    watch.tell(rows, sum(part.stat().st_size for part in folder.glob("*.parquet")))


if __name__ == "__main__":
    sink(Path(sys.argv[1]))
