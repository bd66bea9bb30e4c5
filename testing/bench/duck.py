"""DuckDB's NDJSON to Parquet with our typed columns, a COPY a stream; prints its figures as JSON.

It has less to do than the writer: no `extra`, no check that anything can be rebuilt, no fsync.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

from testing.bench.bare import cpu_seconds, peak_bytes

_REF = "STRUCT(uri VARCHAR, cid VARCHAR)"
_HEAD = "time_us, make_timestamp(time_us) AS event_time, did, cursor"
_COMMIT = (
    f"{_HEAD}, commit.operation AS operation, commit.collection AS collection, commit.rkey AS rkey, "
    "commit.rev AS rev, commit.cid AS cid"
)
_CREATED = "try_cast(commit.record.createdAt AS TIMESTAMP) AS created_at"
_CREATED_INSIDE = "try_cast(json_extract_string(commit.record, '$.createdAt') AS TIMESTAMP) AS created_at"
_SUBJECT = (
    "commit.record.subject.uri AS subject_uri, commit.record.subject.cid AS subject_cid, "
    "commit.record.via.uri AS via_uri, commit.record.via.cid AS via_cid"
)
_TEXTS = "commit.record.text AS text, commit.record.langs AS langs, commit.record.tags AS tags"
_REPLY = ", ".join(
    f"commit.record.reply.{end}.{key} AS reply_{end}_{key}"
    for end in ("root", "parent")
    for key in ("uri", "cid")
)
_BLOBS = "commit.record.embed AS embed, commit.record.facets AS facets, commit.record.labels AS labels"
_RELAY = "{0}.seq AS relay_seq, try_cast({0}.time AS TIMESTAMP) AS relay_time"

RECORD_OF = {
    "likes": f'STRUCT("createdAt" VARCHAR, subject {_REF}, via {_REF})',
    "reposts": f'STRUCT("createdAt" VARCHAR, subject {_REF}, via {_REF})',
    "follows": 'STRUCT("createdAt" VARCHAR, subject VARCHAR)',
    "posts": f'STRUCT("createdAt" VARCHAR, text VARCHAR, langs VARCHAR[], tags VARCHAR[], '
    f"reply STRUCT(root {_REF}, parent {_REF}), embed JSON, facets JSON, labels JSON)",
    "records": "JSON",
}
SELECT = {
    "likes": f"{_COMMIT}, {_CREATED}, {_SUBJECT}",
    "reposts": f"{_COMMIT}, {_CREATED}, {_SUBJECT}",
    "follows": f"{_COMMIT}, {_CREATED}, commit.record.subject AS subject_did",
    "posts": f"{_COMMIT}, {_CREATED}, {_TEXTS}, {_REPLY}, {_BLOBS}",
    "records": f"{_COMMIT}, {_CREATED_INSIDE}, commit.record AS record",
    "identities": f"{_HEAD}, identity.handle AS handle, {_RELAY.format('identity')}",
    "accounts": f"{_HEAD}, account.active AS active, account.status AS status, {_RELAY.format('account')}",
}


def columns(stream: str) -> str:
    """Return the types of the JSON's keys, as read_ndjson wants them."""
    kinds = {"did": "VARCHAR", "time_us": "BIGINT", "cursor": "BIGINT"}
    if stream in RECORD_OF:
        names = "rev VARCHAR, operation VARCHAR, collection VARCHAR, rkey VARCHAR, cid VARCHAR"
        kinds["commit"] = f"STRUCT({names}, record {RECORD_OF[stream]})"
    elif stream == "identities":
        kinds["identity"] = 'STRUCT(seq BIGINT, "time" VARCHAR, handle VARCHAR)'
    else:
        kinds["account"] = 'STRUCT(seq BIGINT, "time" VARCHAR, active BOOLEAN, status VARCHAR)'
    return "{" + ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items()) + "}"


def copy(folder: Path) -> None:
    """Copy every `<stream>.ndjson` in `folder` to Parquet beside it."""
    with duckdb.connect() as connection:
        began, used = time.perf_counter(), cpu_seconds()
        for stream, wanted in SELECT.items():
            source = f"read_ndjson('{folder}/{stream}.ndjson', columns = {columns(stream)})"
            target = f"'{folder}/{stream}.parquet' (FORMAT parquet, COMPRESSION zstd)"
            connection.execute(f"COPY (SELECT {wanted} FROM {source}) TO {target}")  # noqa: S608 - our own words
        figures = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - used, "rss": peak_bytes()}
    figures["bytes"] = sum(part.stat().st_size for part in folder.glob("*.parquet"))
    print(json.dumps(figures))


if __name__ == "__main__":
    copy(Path(sys.argv[1]))
