"""What no column holds is kept verbatim, and counted where a column should have held it."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import Raw

from services.data_writer.decode import NO_REF, NO_REPLY
from services.data_writer.leftovers import INT64, KEYS, TEXT, Keys, Leftovers


def keys(text: str) -> Keys:
    return dict(KEYS.decode(text.encode()))


def test_nothing_left_is_no_extra() -> None:
    assert Leftovers().extra() is None


def test_values_are_kept_letter_for_letter() -> None:
    left = Leftovers()
    left.keep("record", "n", Raw(b"1e999"))
    left.keep("event", "t", "text")
    left.absent("record.$type")
    assert left.extra() == b'{"record":{"n":1e999},"event":{"t":"text"},"absent":["record.$type"]}'


def test_taking_empties_the_keys() -> None:
    left, event = Leftovers(), keys('{"a":"x","b":5,"c":null}')
    assert left.take("event", event, "a", TEXT) == "x"
    assert left.take("event", event, "b", INT64) == 5
    assert left.take("event", event, "d", TEXT) is None
    assert list(event) == ["c"]
    assert (left.extra(), left.type_mismatches) == (None, 0)


@pytest.mark.parametrize("value", ["null", "1", "1.0", "[]", '{"a":1}', "true", "1e999"])
def test_a_value_of_another_type_is_set_aside_and_counted(value: str) -> None:
    left = Leftovers()
    assert left.take("commit", keys(f'{{"cid":{value}}}'), "cid", TEXT) is None
    assert left.extra() == f'{{"commit":{{"cid":{value}}}}}'.encode()
    assert left.type_mismatches == 1


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
def test_a_reference_fills_its_columns_and_is_kept_where_they_are_not_all(
    value: str, uri: str | None, cid: str | None, *, complete: bool, type_mismatches: int
) -> None:
    left = Leftovers()
    ref = left.take_ref(keys(f'{{"via":{value}}}'), "via")
    assert (ref.uri, ref.cid, left.type_mismatches) == (uri, cid, type_mismatches)
    assert left.extra() == (None if complete else f'{{"record":{{"via":{value}}}}}'.encode())


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
def test_a_reply_is_kept_where_its_columns_are_not_all(reply: object, *, complete: bool) -> None:
    left = Leftovers()
    left.take_reply(keys(json.dumps({"reply": reply})))
    kept = left.extra()
    assert kept is None if complete else msgspec.json.decode(kept or b"") == {"record": {"reply": reply}}


def test_what_is_absent_leaves_nothing() -> None:
    left = Leftovers()
    assert left.take_ref({}, "via") is NO_REF
    assert left.take_reply({}) is NO_REPLY
    assert left.extra() is None
