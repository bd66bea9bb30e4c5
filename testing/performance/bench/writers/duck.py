"""DuckDB's `COPY (SELECT … FROM read_ndjson(…)) TO … (zstd)`, one per stream.

It does less than the writer: it reads a file, fills no `extra`, and neither checks that events can be rebuilt
nor syncs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from services.shared.event import Stream
from testing.performance.bench.child import Stopwatch
from testing.performance.bench.writers.columns import COLUMNS, COMMITS, LEVEL

_REF = "STRUCT(uri VARCHAR, cid VARCHAR)"
_RECORD_OF = {
    Stream.LIKES: f'STRUCT("createdAt" VARCHAR, subject {_REF}, via {_REF})',
    Stream.REPOSTS: f'STRUCT("createdAt" VARCHAR, subject {_REF}, via {_REF})',
    Stream.FOLLOWS: 'STRUCT("createdAt" VARCHAR, subject VARCHAR)',
    Stream.POSTS: f'STRUCT("createdAt" VARCHAR, text VARCHAR, langs VARCHAR[], tags VARCHAR[], '
    f"reply STRUCT(root {_REF}, parent {_REF}), embed JSON, facets JSON, labels JSON)",
    Stream.RECORDS: "JSON",
}
_REPLY = {
    f"reply_{end}_{key}": f"commit.record.reply.{end}.{key}"
    for end in ("root", "parent")
    for key in ("uri", "cid")
}
_EVERYWHERE = {
    "event_time": "make_timestamp_ms(time_us // 1000)::TIMESTAMP_MS",
    **{name: f"commit.{name}" for name in ("operation", "collection", "rkey", "rev", "cid")},
    "created_at": "try_cast(commit.record.createdAt AS TIMESTAMP)::TIMESTAMP_MS",
    "subject_uri": "commit.record.subject.uri",
    "subject_cid": "commit.record.subject.cid",
    "via_uri": "commit.record.via.uri",
    "via_cid": "commit.record.via.cid",
    "subject_did": "commit.record.subject",
    **_REPLY,
    **{name: f"commit.record.{name}" for name in ("text", "langs", "embed", "facets", "labels", "tags")},
    "embed_type": "json_extract_string(commit.record.embed, '$.\"$type\"')",
    "record": "commit.record",
    "handle": "identity.handle",
    "active": "account.active",
    "status": "account.status",
}
_CREATED_INSIDE = "json_extract_string(commit.record, '$.createdAt')"


def select(stream: Stream) -> str:
    """Return the expressions of a stream's columns."""
    own = dict(_EVERYWHERE)
    if stream is Stream.RECORDS:
        own["created_at"] = f"try_cast({_CREATED_INSIDE} AS TIMESTAMP)::TIMESTAMP_MS"
    if stream not in COMMITS:
        inside = "identity" if stream is Stream.IDENTITIES else "account"
        own["relay_seq"] = f"{inside}.seq"
        own["relay_time"] = f"try_cast({inside}.time AS TIMESTAMP)::TIMESTAMP_MS"
    return ", ".join(f"{own.get(name, name)} AS {name}" for name in COLUMNS[stream])


def types(stream: Stream) -> str:
    """Return the types of the JSON's keys in the form that read_ndjson takes."""
    kinds = {"did": "VARCHAR", "time_us": "BIGINT", "cursor": "BIGINT"}
    if stream in COMMITS:
        names = "rev VARCHAR, operation VARCHAR, collection VARCHAR, rkey VARCHAR, cid VARCHAR"
        kinds["commit"] = f"STRUCT({names}, record {_RECORD_OF[stream]})"
    elif stream is Stream.IDENTITIES:
        kinds["identity"] = 'STRUCT(seq BIGINT, "time" VARCHAR, handle VARCHAR)'
    else:
        kinds["account"] = 'STRUCT(seq BIGINT, "time" VARCHAR, active BOOLEAN, status VARCHAR)'
    return "{" + ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items()) + "}"


def copy(folder: Path, threads: int) -> None:
    """Copy every `<stream>.ndjson` in `folder` to Parquet beside it."""
    with duckdb.connect(config={"threads": threads}) as connection:
        watch, rows = Stopwatch(), 0
        for stream in COLUMNS:
            source = f"read_ndjson('{folder}/{stream}.ndjson', columns = {types(stream)})"
            kind = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}"
            target = f"'{folder}/{stream}.parquet' ({kind})"
            query = f"COPY (SELECT {select(stream)} FROM {source}) TO {target}"  # noqa: S608 - built from constants
            rows += (connection.execute(query).fetchone() or (0,))[0]
        watch.print_figures(rows, sum(part.stat().st_size for part in folder.glob("*.parquet")))


if __name__ == "__main__":
    copy(Path(sys.argv[1]), int(sys.argv[2]))
