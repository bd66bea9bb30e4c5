"""The schema of each stream, read as one dataset by DuckDB, Polars and pyarrow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from services.archive.schema import SCHEMA_VERSION, SCHEMAS, column_encodings, schema_difference
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import JETSTREAM_STREAMS, Gap, GapReason, Reason, Reject, Stream

if TYPE_CHECKING:
    from pathlib import Path

NOON_US = 1_783_166_400_000_000
HOUR_US = 3_600_000_000
COLLECTIONS = {
    Stream.POSTS: "app.bsky.feed.post",
    Stream.LIKES: "app.bsky.feed.like",
    Stream.REPOSTS: "app.bsky.feed.repost",
    Stream.FOLLOWS: "app.bsky.graph.follow",
    Stream.RECORDS: "a.b.c",
}
REF = {"uri": "at://did:plc:a/app.bsky.feed.post/1", "cid": "bafyrei"}
FULL_RECORDS: dict[Stream, dict[str, Any]] = {
    Stream.POSTS: {
        "text": "hello",
        "langs": ["en", "de"],
        "reply": {"root": REF, "parent": REF},
        "embed": {"$type": "app.bsky.embed.images", "images": []},
        "facets": [],
        "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": []},
        "tags": ["a"],
    },
    Stream.LIKES: {"subject": REF, "via": REF},
    Stream.REPOSTS: {"subject": REF, "via": REF},
    Stream.FOLLOWS: {"subject": "did:plc:b"},
    Stream.RECORDS: {"anything": 1},
}


def event(stream: Stream, time_us: int, *, full: bool) -> bytes:
    """Return an event that fills every column of its stream, or only those that are never null."""
    if stream is Stream.REJECTS:
        return Reject(Reason.NOT_JSON, b"\xff", "host", time_us).encode()
    if stream is Stream.GAPS:
        return Gap(1, 2, GapReason.ARCHIVE_START, "host", time_us, "a.b.c" if full else None).encode()
    event: dict[str, Any] = {"did": "did:plc:a", "time_us": time_us}
    if full:
        event |= {"cursor": 5, "more": True}
    if stream in COLLECTIONS:
        commit: dict[str, Any] = {
            "rev": "r",
            "operation": "delete",
            "collection": COLLECTIONS[stream],
            "rkey": "k",
        }
        if full:
            record = {"$type": COLLECTIONS[stream], "createdAt": "2026-07-04T14:38:02Z"} | FULL_RECORDS[
                stream
            ]
            commit |= {"operation": "create", "record": record, "cid": "bafyrei"}
        return json.dumps(event | {"kind": "commit", "commit": commit}).encode()
    kind = "identity" if stream is Stream.IDENTITIES else "account"
    body: dict[str, Any] = {"did": "did:plc:a", "seq": 2**60}
    if full:
        body |= {"time": "2026-07-04T14:38:02.123Z", "active": True, "status": "x", "handle": "a.test"}
    return json.dumps(event | {"kind": kind, kind: body}).encode()


@pytest.mark.parametrize("stream", Stream)
def test_every_reader_reads_parts_of_nulls_together_with_full_ones(stream: Stream, tmp_path: Path) -> None:
    for hour, full in enumerate([False, True, False]):
        events = [event(stream, NOON_US + hour * HOUR_US, full=full)]
        encoded = encode(stream, events)
        assert not encoded.rejected
        commit(tmp_path, encoded, ChunkOrigin())

    # Polars is asked by directory, and must not stumble over what lies beside the stream.
    polars = pl.scan_parquet(tmp_path / "raw" / stream, hive_partitioning=True).sort("hour").collect()
    arrow = ds.dataset(tmp_path / "raw" / stream, partitioning="hive").to_table()
    with duckdb.connect() as connection:
        pattern = f"{tmp_path}/raw/{stream}/**/*.parquet"
        relation = connection.read_parquet(pattern, hive_partitioning=True)
        names = relation.columns
        duck = relation.order("hour").to_arrow_table()

    partition = ["year", "month", "day", "hour"]
    expected = [*SCHEMAS[stream].names, *partition]
    assert sorted(names) == sorted(expected)
    assert polars.columns == expected
    assert arrow.column_names == expected
    assert duck.num_rows == polars.height == arrow.num_rows == 3
    assert polars["hour"].to_list() == [12, 13, 14]
    assert arrow.drop_columns(partition).schema.equals(SCHEMAS[stream])
    nullable = [column.name for column in SCHEMAS[stream] if column.nullable and column.name != "stream"]
    for name in nullable:
        assert polars[name].is_null().to_list() == [True, False, True], name
        assert duck[name].is_null().to_pylist() == [True, False, True], name


@pytest.mark.parametrize("stream", Stream)
def test_every_leaf_has_one_encoding(stream: Stream) -> None:
    encodings = column_encodings(stream)
    leaves = [*encodings.dictionary, *encodings.direct]
    assert len(leaves) == len(set(leaves)) == len(SCHEMAS[stream])


def test_the_columns_of_version_1_do_not_change() -> None:
    assert SCHEMA_VERSION == 1
    likes = "time_us event_time did cursor operation collection rkey rev cid created_at"
    assert SCHEMAS[Stream.LIKES].names == [
        *likes.split(),
        *["subject_uri", "subject_cid", "via_uri", "via_cid", "extra"],
    ]
    accounts = "time_us event_time did cursor active status relay_seq relay_time extra"
    assert SCHEMAS[Stream.ACCOUNTS].names == accounts.split()
    for stream in JETSTREAM_STREAMS:
        assert SCHEMAS[stream].field("event_time").type == pa.timestamp("ms", tz="UTC")
        assert SCHEMAS[stream].names[-1] == "extra"


def test_columns_of_older_versions_are_accepted_and_foreign_ones_named() -> None:
    ours = pa.schema([("time_us", pa.int64())])
    assert schema_difference(Stream.LIKES, ours, 0) is None
    assert schema_difference(Stream.LIKES, ours, 99)
    assert schema_difference(Stream.LIKES, pa.schema([("time_us", pa.string())]), 0)
