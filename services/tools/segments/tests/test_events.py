"""A row becomes the event that the v1 wire had for it, equal as JSON."""

from __future__ import annotations

import json

import pytest

from services.jetstream.validate import validate
from services.shared.errors import BadInput
from services.tools.segments.events import frame_of
from services.tools.segments.form import Row
from testing.events import HostView, Traffic
from testing.fakes.segments import as_told, row_of
from testing.fakes.segments.cbor import encode


def test_every_event_of_the_network_comes_back_as_it_was_told() -> None:
    for seq, frame in enumerate(Traffic(5, 1_790_006_400_000_000, 1.0, 4000).truth(HostView()), 1):
        told = frame_of(Row(*row_of(frame, seq)))
        assert told is not None
        assert json.loads(told) == json.loads(as_told(frame, seq))
        assert validate(told, 1 << 30).identity == validate(frame, 1 << 30).identity


@pytest.mark.parametrize("record", [[1, None, {"a": True}], "word", 7, None])
def test_a_record_need_not_be_a_map(record: object) -> None:
    row = Row(1, 2, 1, "did:plc:a", "a.b.c", "k", "r", encode(record))
    told = frame_of(row)
    assert told is not None
    assert json.loads(told)["commit"]["record"] == record


def test_what_the_v1_wire_does_not_have_is_left_out() -> None:
    row = Row(1, 2, 6, "did:plc:a", "", "", "3l3qo", b"\xa0")
    assert frame_of(row) is None
    assert frame_of(row._replace(kind=7)) is None


def test_a_row_that_holds_no_event_is_told() -> None:
    row = Row(1, 2, 1, "did:plc:a", "a.b.c", "k", "r", b"\xff")
    with pytest.raises(BadInput):
        frame_of(row)
    with pytest.raises(BadInput, match="kind"):
        frame_of(row._replace(kind=8))
