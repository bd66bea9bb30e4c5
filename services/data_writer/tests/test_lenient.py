"""Lenient decoding: columns take what fits, the residual keeps the rest, required keys are required."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from services.data_writer.encoding.decode import NO_REF, NO_REPLY
from services.data_writer.encoding.lenient import INT64, KEYS, TEXT, Keys, Residual, decode_leniently
from services.shared.errors import BadInput
from services.shared.event import Reason, Stream


def keys(text: str) -> Keys:
    return dict(KEYS.decode(text.encode()))


def test_an_empty_residual_gives_no_extra() -> None:
    assert Residual().extra() is None


def test_values_are_kept_verbatim() -> None:
    residual = Residual()
    residual.keep("record", "n", Raw(b"1e999"))
    residual.keep("event", "t", "text")
    residual.note_absent("record.$type")
    assert residual.extra() == b'{"record":{"n":1e999},"event":{"t":"text"},"absent":["record.$type"]}'


def test_taking_a_value_removes_its_key() -> None:
    residual, event = Residual(), keys('{"a":"x","b":5,"c":null}')
    assert residual.take("event", event, "a", TEXT) == "x"
    assert residual.take("event", event, "b", INT64) == 5
    assert residual.take("event", event, "d", TEXT) is None
    assert list(event) == ["c"]
    assert (residual.extra(), residual.type_mismatches) == (None, 0)


@pytest.mark.parametrize("value", ["null", "1", "1.0", "[]", '{"a":1}', "true", "1e999"])
def test_a_value_of_another_type_is_kept_and_counted(value: str) -> None:
    residual = Residual()
    assert residual.take("commit", keys(f'{{"cid":{value}}}'), "cid", TEXT) is None
    assert residual.extra() == f'{{"commit":{{"cid":{value}}}}}'.encode()
    assert residual.type_mismatches == 1


@pytest.mark.parametrize(
    ("value", "uri", "cid", "complete", "type_mismatches"),
    [
        ('{"uri":"u","cid":"c"}', "u", "c", True, 0),
        ('{"uri":"u"}', "u", None, True, 0),
        ("{}", None, None, False, 0),
        ('{"uri":"u","cid":5}', "u", None, False, 1),
        ('{"uri":"u","cid":"c","more":1}', "u", "c", False, 0),
        ('"u"', None, None, False, 1),
        ("null", None, None, False, 1),
    ],
)
def test_a_reference_fills_its_columns_and_is_kept_if_they_lack_part_of_it(
    value: str, uri: str | None, cid: str | None, *, complete: bool, type_mismatches: int
) -> None:
    residual = Residual()
    ref = residual.take_ref(keys(f'{{"via":{value}}}'), "via")
    assert (ref.uri, ref.cid, residual.type_mismatches) == (uri, cid, type_mismatches)
    assert residual.extra() == (None if complete else f'{{"record":{{"via":{value}}}}}'.encode())


@pytest.mark.parametrize(
    ("reply", "complete"),
    [
        ({"root": {"uri": "u"}, "parent": {"uri": "v", "cid": "c"}}, True),
        ({"parent": {"cid": "c"}}, True),
        ({}, False),
        ({"root": {}}, False),
        ({"root": {"uri": "u"}, "parent": None}, False),
        ({"root": {"uri": "u"}, "more": {}}, False),
        ([], False),
    ],
)
def test_a_reply_is_kept_if_its_columns_lack_part_of_it(reply: object, *, complete: bool) -> None:
    residual = Residual()
    residual.take_reply(keys(json.dumps({"reply": reply})))
    kept = residual.extra()
    assert kept is None if complete else msgspec.json.decode(kept or b"") == {"record": {"reply": reply}}


def test_an_absent_value_leaves_no_residual() -> None:
    residual = Residual()
    assert residual.take_ref({}, "via") is NO_REF
    assert residual.take_reply({}) is NO_REPLY
    assert residual.extra() is None


def event(kind: str, body: Any, **changes: Any) -> bytes:
    return json.dumps({"did": "d", "time_us": 5, "kind": kind, kind: body} | changes).encode()


def commit(**changes: Any) -> dict[str, Any]:
    return {"rev": "r", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "k"} | changes


def extra(stream: Stream, source: bytes) -> Any:
    _, residual = decode_leniently(stream, source)
    text = residual.extra()
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("body", "residual"),
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
def test_the_residual_of_a_commit(body: dict[str, Any], residual: Any) -> None:
    assert extra(Stream.POSTS, event("commit", body)) == residual


def test_a_record_of_another_collection_leaves_no_residual() -> None:
    records: list[Any] = [[1], None, {}, "x"]
    for record in records:
        body = commit(collection="a.b", operation="delete", record=record, more=1)
        assert extra(Stream.RECORDS, event("commit", body)) == {"commit": {"more": 1}}


@pytest.mark.parametrize(("stream", "kind"), [(Stream.IDENTITIES, "identity"), (Stream.ACCOUNTS, "account")])
def test_the_did_of_a_body_is_kept_if_it_differs_from_the_event_s(stream: Stream, kind: str) -> None:
    assert extra(stream, event(kind, {"seq": 1, "did": "d"})) is None
    assert extra(stream, event(kind, {"seq": 1})) == {"absent": [f"{kind}.did"]}
    assert extra(stream, event(kind, {"seq": 1, "did": "e"})) == {kind: {"did": "e"}}


def test_unknown_keys_of_the_envelope_are_kept_under_event() -> None:
    source = event("identity", {"seq": 1, "did": "d"}, cursor="x", account={"seq": 2})
    assert extra(Stream.IDENTITIES, source) == {"event": {"cursor": "x", "account": {"seq": 2}}}


@pytest.mark.parametrize(
    ("stream", "source"),
    [
        (Stream.POSTS, b"\xff"),
        (Stream.POSTS, b"[]"),
        (Stream.POSTS, event("commit", commit())),
        (Stream.RECORDS, event("commit", commit(collection="a.b"))),
        (Stream.POSTS, event("commit", commit(rev=5, record={}))),
        (Stream.POSTS, event("commit", None)),
        (Stream.POSTS, event("identity", {"seq": 1})),
        (Stream.POSTS, event("commit", commit(record={}), time_us=-1)),
        (Stream.IDENTITIES, event("identity", {"seq": 2**63})),
        (Stream.ACCOUNTS, event("account", {})),
        (Stream.REJECTS, b"{}"),
        (Stream.GAPS, b"{}"),
    ],
)
def test_an_event_without_its_required_keys_is_refused(stream: Stream, source: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        decode_leniently(stream, source)
    assert raised.value.reason == Reason.ENCODE_FAILED
