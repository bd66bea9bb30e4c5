"""Odd events are read key by key; only what validation guarantees is insisted on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.data_writer.salvage import salvage
from services.shared.errors import BadInput
from services.shared.event import Reason, Stream


def element(kind: str, body: Any, **event: Any) -> bytes:
    return json.dumps({"did": "d", "time_us": 5, "kind": kind, kind: body} | event).encode()


def commit(**changes: Any) -> dict[str, Any]:
    return {"rev": "r", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "k"} | changes


def extra(stream: Stream, frame: bytes) -> Any:
    _, left = salvage(stream, frame)
    text = left.extra()
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (commit(record={"$type": "app.bsky.feed.post"}), None),
        (commit(record={}), {"absent": ["record.$type"]}),
        (commit(record={"$type": "other"}), {"record": {"$type": "other"}}),
        (commit(record={"$type": 5}), {"record": {"$type": 5}}),
        (commit(record=[1]), {"commit": {"record": [1]}}),
        (commit(record=None), {"commit": {"record": None}}),
        (commit(operation="delete", record={"a": 1}), {"commit": {"record": {"a": 1}}}),
        (commit(operation="new", record={}), {"commit": {"record": {}}}),
        (commit(operation="new"), None),
        (commit(operation="delete", cid=None, more=1), {"commit": {"cid": None, "more": 1}}),
    ],
)
def test_what_is_left_of_a_commit(body: dict[str, Any], left: Any) -> None:
    assert extra(Stream.POSTS, element("commit", body)) == left


def test_a_record_of_any_other_collection_is_whole_whatever_it_is() -> None:
    records: list[Any] = [[1], None, {}, "x"]
    for record in records:
        body = commit(collection="a.b", operation="delete", record=record, more=1)
        assert extra(Stream.RECORDS, element("commit", body)) == {"commit": {"more": 1}}


@pytest.mark.parametrize(("stream", "kind"), [(Stream.IDENTITIES, "identity"), (Stream.ACCOUNTS, "account")])
def test_the_did_in_a_body_is_left_where_it_is_not_the_event_s(stream: Stream, kind: str) -> None:
    assert extra(stream, element(kind, {"seq": 1, "did": "d"})) is None
    assert extra(stream, element(kind, {"seq": 1})) == {"absent": [f"{kind}.did"]}
    assert extra(stream, element(kind, {"seq": 1, "did": "e"})) == {kind: {"did": "e"}}


def test_keys_of_the_event_are_left_under_event() -> None:
    frame = element("identity", {"seq": 1, "did": "d"}, cursor="x", account={"seq": 2})
    assert extra(Stream.IDENTITIES, frame) == {"event": {"cursor": "x", "account": {"seq": 2}}}


@pytest.mark.parametrize(
    ("stream", "frame"),
    [
        (Stream.POSTS, b"\xff"),
        (Stream.POSTS, b"[]"),
        (Stream.POSTS, element("commit", commit())),
        (Stream.RECORDS, element("commit", commit(collection="a.b"))),
        (Stream.POSTS, element("commit", commit(rev=5, record={}))),
        (Stream.POSTS, element("commit", None)),
        (Stream.POSTS, element("identity", {"seq": 1})),
        (Stream.POSTS, element("commit", commit(record={}), time_us=-1)),
        (Stream.IDENTITIES, element("identity", {"seq": 2**63})),
        (Stream.ACCOUNTS, element("account", {})),
        (Stream.REJECTS, b"{}"),
        (Stream.GAPS, b"{}"),
    ],
)
def test_without_what_is_guaranteed_it_is_refused(stream: Stream, frame: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        salvage(stream, frame)
    assert raised.value.reason == Reason.ENCODE_FAILED
