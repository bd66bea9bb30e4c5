"""Decoded events become the columns of their stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.archive.schema import SCHEMAS
from services.data_writer.encoding.columns import ResidualsByIndex, to_table
from services.data_writer.encoding.decode import STRICT
from services.shared.event import Stream

REF = {"uri": "u", "cid": "c"}


def rows(stream: Stream, *records: Any) -> list[dict[str, Any]]:
    """Return the rows of commits of these records; None is a delete."""
    collection = {Stream.POSTS: "app.bsky.feed.post", Stream.LIKES: "app.bsky.feed.like"}.get(stream, "a.b")
    events = []
    for record in records:
        commit = {"rev": "r", "operation": "delete", "collection": collection, "rkey": "k"}
        if record is not None:
            commit |= {"operation": "create", "record": record, "cid": "b"}
        event = {"did": "d", "time_us": 5, "kind": "commit", "commit": commit}
        events.append(STRICT[stream].decode(json.dumps(event)))
    table = to_table(stream, events, ResidualsByIndex())
    assert table.schema.equals(SCHEMAS[stream])
    return [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]


def test_a_like_fills_its_columns_and_a_delete_only_those_of_its_envelope() -> None:
    record = {"$type": "app.bsky.feed.like", "createdAt": "2026-07-04T14:38:02Z", "subject": REF, "via": REF}
    created, deleted = rows(Stream.LIKES, record, None)
    assert created["subject_uri"] == created["via_uri"] == "u"
    assert created["subject_cid"] == created["via_cid"] == "c"
    assert created["extra"] == '{"record":{"createdAt":"2026-07-04T14:38:02Z"}}'
    assert created["time_us"] == 5
    assert created["event_time"].microsecond == 0, "truncated to milliseconds"
    assert sorted(deleted) == sorted(
        ["time_us", "event_time", "did", "operation", "collection", "rkey", "rev"]
    )


@pytest.mark.parametrize(
    ("embed", "kind"), [({"$type": "a.b", "x": 1}, "a.b"), ({}, None), ({"$type": 5}, None), ([], None)]
)
def test_an_embed_is_stored_as_json_with_its_type_in_another_column(embed: Any, kind: str | None) -> None:
    record = {"$type": "app.bsky.feed.post", "createdAt": "2026-07-04T14:38:02.123Z", "text": ""}
    (row,) = rows(Stream.POSTS, record | {"embed": embed, "langs": []})
    assert json.loads(row["embed"]) == embed
    assert row.get("embed_type") == kind
    assert (row["text"], row["langs"]) == ("", [])
    assert "extra" not in row


def test_a_reply_fills_four_columns() -> None:
    reply = {"root": {"uri": "1", "cid": "2"}, "parent": {"uri": "3", "cid": "4"}}
    record = {
        "$type": "app.bsky.feed.post",
        "createdAt": "2026-07-04T14:38:02.123Z",
        "text": "x",
        "reply": reply,
    }
    (row,) = rows(Stream.POSTS, record)
    names = ("reply_root_uri", "reply_root_cid", "reply_parent_uri", "reply_parent_cid")
    assert [row[name] for name in names] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("record", "created"),
    [({"createdAt": "2026-07-04T14:38:02Z"}, True), ({"createdAt": {}}, False), ({}, False), ([1], False)],
)
def test_a_record_of_another_collection_is_stored_as_json_without_a_residual(
    record: Any, *, created: bool
) -> None:
    (row,) = rows(Stream.RECORDS, record)
    assert json.loads(row["record"]) == record
    assert ("created_at" in row) is created
    assert "extra" not in row
