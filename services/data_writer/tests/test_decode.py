"""The strict shapes take what has nothing left over, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from services.data_writer.decode import IS_WHOLE, STRICT
from services.shared.event import Stream

LIKE = {
    "$type": "app.bsky.feed.like",
    "createdAt": "2026-07-04T14:38:02.123Z",
    "subject": {"uri": "u", "cid": "c"},
}
IDENTITY = {"did": "d", "seq": 1, "time": "t"}


def like(record: Any = LIKE, **changes: Any) -> bytes:
    commit = {"rev": "r", "operation": "create", "collection": "app.bsky.feed.like", "rkey": "k"}
    commit |= {"record": record} | {
        key: value for key, value in changes.items() if key in ("operation", "cid")
    }
    event = {"did": "d", "time_us": 5, "kind": "commit", "commit": commit}
    event |= {key: value for key, value in changes.items() if key in ("cursor", "more")}
    return json.dumps(event).encode()


def is_whole(stream: Stream, element: bytes) -> bool:
    return IS_WHOLE[stream](STRICT[stream].decode(element), element)


def test_an_absent_key_is_none() -> None:
    event = STRICT[Stream.LIKES].decode(like())
    assert (event.cursor, event.commit.cid, event.commit.record.via.uri) == (None, None, None)


@pytest.mark.parametrize(
    "element",
    [
        like(cursor=None),
        like(cursor=2**63),
        like(cursor=1.0),
        like(more=1),
        like(cid=None),
        like(LIKE | {"more": 1}),
        like(LIKE | {"via": None}),
        like(LIKE | {"subject": {"uri": "u"}}),
        like(LIKE | {"$type": "app.bsky.feed.repost"}),
        like({key: value for key, value in LIKE.items() if key != "createdAt"}),
        like([]),
    ],
)
def test_another_shape_is_refused(element: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        STRICT[Stream.LIKES].decode(element)


def test_a_record_where_there_should_be_none_is_not_whole() -> None:
    assert is_whole(Stream.LIKES, like())
    assert not is_whole(Stream.LIKES, like(operation="delete"))
    assert not is_whole(Stream.LIKES, like(operation="resurrect"))


def test_bytes_that_are_no_unicode_are_not_whole_even_where_they_stay_raw() -> None:
    element = like().replace(b'"app.bsky.feed.like", "rkey"', b'"a.b", "rkey"').replace(b'"u"', b'"\xff"')
    assert not is_whole(Stream.RECORDS, element)
    assert is_whole(Stream.RECORDS, element.replace(b"\xff", "\u00e9".encode()))


@pytest.mark.parametrize(("did", "whole"), [("d", True), ("other", False)])
def test_a_body_that_names_another_did_is_not_whole(did: str, *, whole: bool) -> None:
    event = {"did": "d", "time_us": 5, "kind": "identity", "identity": IDENTITY | {"did": did}}
    assert is_whole(Stream.IDENTITIES, json.dumps(event).encode()) is whole
    event = {"did": "d", "time_us": 5, "kind": "account", "account": IDENTITY | {"did": did, "active": True}}
    assert is_whole(Stream.ACCOUNTS, json.dumps(event).encode()) is whole
