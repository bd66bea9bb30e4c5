"""DAG-CBOR decodes to the JSON it was made from; any other bytes raise one error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.shared.errors import BadInput
from services.tools.segments.dag_cbor import cid_of, read_record
from testing.fakes.segments.segment import encode

if TYPE_CHECKING:
    from pathlib import Path

LINK = {"$link": "bafyreidv557u6jqpwxemefixdk5w4saatkbm2lrsy2rys3bdqbwutlumba"}
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text('aé漢🦋\x00"')
    | st.just(LINK)
    | st.just({"$bytes": "3q2+7w"}),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc$", min_size=1, max_size=3), inner),
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(values)
def test_an_encoded_record_decodes_to_the_same_value(record: Any) -> None:
    assert read_record(encode(record)) == record


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60))
def test_any_bytes_decode_to_a_record_or_raise_bad_input(raw: bytes) -> None:
    for one in (raw, b"\xa1\x61a" + raw):
        try:
            record = read_record(one)
        except BadInput:
            continue
        assert record is None or isinstance(record, bool | int | float | str | list | dict)


def test_real_records_have_the_cid_that_their_accounts_signed(real_events: Path) -> None:
    lines = (real_events / "records_cid_verified.jsonl").read_bytes().splitlines()
    for reported in map(json.loads, lines):
        raw = encode(reported["record"])
        assert cid_of(raw) == reported["cid"]
        assert read_record(raw) == reported["record"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xa0\x00",
        b"\xbf\xff",
        b"\xa1\x01\x01",
        b"\xa1\x61a\xc0\x61b",
        b"\xa1\x61a\xf9\x00\x00",
        b"\xa1\x61a\x9b" + b"\xff" * 8,
        b"\xa1\x61a" + b"\x81" * 300 + b"\x01",
    ],
)
def test_invalid_records_are_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        read_record(raw)
