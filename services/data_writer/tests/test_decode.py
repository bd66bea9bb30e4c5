"""Strict decoding accepts only events that the columns hold completely."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from services.data_writer.encoding.decode import ROUND_TRIPS, STRICT
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


def round_trips(stream: Stream, event: bytes) -> bool:
    return ROUND_TRIPS[stream](STRICT[stream].decode(event), event)


def test_an_absent_key_is_none() -> None:
    event = STRICT[Stream.LIKES].decode(like())
    assert (event.cursor, event.commit.cid, event.commit.record.via.uri) == (None, None, None)


@pytest.mark.parametrize(
    "event",
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
def test_an_event_of_another_shape_is_refused(event: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        STRICT[Stream.LIKES].decode(event)


def test_a_record_in_an_operation_that_has_none_does_not_round_trip() -> None:
    assert round_trips(Stream.LIKES, like())
    assert not round_trips(Stream.LIKES, like(operation="delete"))
    assert not round_trips(Stream.LIKES, like(operation="resurrect"))


def test_invalid_utf_8_does_not_round_trip_even_in_json_kept_as_text() -> None:
    event = like().replace(b'"app.bsky.feed.like", "rkey"', b'"a.b", "rkey"').replace(b'"u"', b'"\xff"')
    assert not round_trips(Stream.RECORDS, event)
    assert round_trips(Stream.RECORDS, event.replace(b"\xff", "\u00e9".encode()))


@pytest.mark.parametrize(("did", "expected"), [("d", True), ("other", False)])
def test_a_body_with_another_did_does_not_round_trip(did: str, *, expected: bool) -> None:
    event = {"did": "d", "time_us": 5, "kind": "identity", "identity": IDENTITY | {"did": did}}
    assert round_trips(Stream.IDENTITIES, json.dumps(event).encode()) is expected
    event = {"did": "d", "time_us": 5, "kind": "account", "account": IDENTITY | {"did": did, "active": True}}
    assert round_trips(Stream.ACCOUNTS, json.dumps(event).encode()) is expected
