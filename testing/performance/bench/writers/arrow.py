"""pyarrow.json to pyarrow.parquet, one file a stream, read whole. From a file, not synced.

It has less to do than all others: it can keep no open JSON as text, so `embed`, `facets`, `labels` and
`record`, and what is taken out of them, are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from services.data_writer.encoding.timestamps import read_column
from services.shared.event import Stream
from testing.performance.bench.child import Stopwatch
from testing.performance.bench.writers.columns import COLUMNS, COMMITS, ENDS, LEVEL, OPEN

LEFT_OUT = (*OPEN, "embed_type")
_TEXT = pa.string()
_REF = pa.struct({"uri": _TEXT, "cid": _TEXT})
_CREATED = {"createdAt": _TEXT}
_RECORD_OF = {
    Stream.LIKES: {**_CREATED, "subject": _REF, "via": _REF},
    Stream.REPOSTS: {**_CREATED, "subject": _REF, "via": _REF},
    Stream.FOLLOWS: {**_CREATED, "subject": _TEXT},
    Stream.POSTS: {
        **_CREATED,
        "text": _TEXT,
        "langs": pa.list_(_TEXT),
        "tags": pa.list_(_TEXT),
        "reply": pa.struct({"root": _REF, "parent": _REF}),
    },
}
_INSTANT = pa.timestamp("ms", tz="UTC")


def types(stream: Stream) -> pa.Schema:
    """Return the schema of a stream's JSON, as far as it is read."""
    kinds: dict[str, Any] = {"did": _TEXT, "time_us": pa.int64(), "cursor": pa.int64()}
    if stream in COMMITS:
        names = dict.fromkeys(("rev", "operation", "collection", "rkey", "cid"), _TEXT)
        record = {"record": pa.struct(_RECORD_OF[stream])} if stream in _RECORD_OF else {}
        kinds["commit"] = pa.struct({**names, **record})
    elif stream is Stream.IDENTITIES:
        kinds["identity"] = pa.struct({"seq": pa.int64(), "time": _TEXT, "handle": _TEXT})
    else:
        kinds["account"] = pa.struct(
            {"seq": pa.int64(), "time": _TEXT, "active": pa.bool_(), "status": _TEXT}
        )
    return pa.schema(kinds)


def path_of(name: str, stream: Stream) -> list[str]:
    """Return where a column's value stands in the JSON."""
    if stream not in COMMITS:
        inside = "identity" if stream is Stream.IDENTITIES else "account"
        own = {"relay_seq": [inside, "seq"], "relay_time": [inside, "time"]}
        return own.get(name, [name] if name in ("time_us", "did", "cursor") else [inside, name])
    ends = {f"reply_{end}_{key}": ["reply", end, key] for end in ENDS for key in ("uri", "cid")}
    refs = {f"{one}_{key}": [one, key] for one in ("subject", "via") for key in ("uri", "cid")}
    inner = {"created_at": ["createdAt"], "subject_did": ["subject"], **ends, **refs}
    inner |= {name: [name] for name in ("text", "langs", "tags")}
    if name in inner:
        return ["commit", "record", *inner[name]]
    return [name] if name in ("time_us", "did", "cursor") else ["commit", name]


def tabulate(read: pa.Table, stream: Stream) -> pa.Table:
    """Return the columns that can be had of what was read."""
    columns: dict[str, Any] = {}
    for name in COLUMNS[stream]:
        if name in LEFT_OUT or (name == "created_at" and stream not in _RECORD_OF):
            continue
        if name == "event_time":
            columns[name] = pc.divide(read["time_us"], 1000).cast(_INSTANT)
            continue
        first, *inside = path_of(name, stream)
        column = pc.struct_field(read[first], inside) if inside else read[first]
        if name in ("created_at", "relay_time"):
            # A cast would refuse the whole column for one odd text.
            column = read_column(column)[0]
        columns[name] = column
    return pa.table(columns)


def convert(folder: Path) -> None:
    """Write every `<stream>.ndjson` in `folder` as Parquet beside it."""
    watch, rows = Stopwatch(), 0
    for stream in COLUMNS:
        source = folder / f"{stream}.ndjson"
        if not source.stat().st_size:
            continue
        # An event may be larger than the default block, and does not span two.
        reading = pj.ReadOptions(block_size=16 << 20)
        parsing = pj.ParseOptions(explicit_schema=types(stream), unexpected_field_behavior="ignore")
        table = tabulate(pj.read_json(source, reading, parsing), stream)
        pq.write_table(table, folder / f"{stream}.parquet", compression="zstd", compression_level=LEVEL)
        rows += table.num_rows
    watch.tell(rows, sum(part.stat().st_size for part in folder.glob("*.parquet")))


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
