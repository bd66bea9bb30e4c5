"""Any bytes give an event or a reason; exactly the same events have the same identity."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.jetstream.validate import DEEPEST, LATEST_TIME_US, reject_identity, validate, validator
from services.shared.errors import BadInput
from services.shared.event import JETSTREAM_STREAMS, Event, Reason, Stream
from testing.events import HostView, Traffic
from testing.tests.any_event import any_event

LARGEST = 100_000
NOON_US = 1_783_166_400_000_000
COMMIT: dict[str, Any] = {
    "rev": "3l3qo2vutsw2b",
    "operation": "create",
    "collection": "app.bsky.feed.like",
    "rkey": "3l3qo2vuowo2b",
    "record": {"subject": {"uri": "at://x", "cid": "y"}},
    "cid": "bafy",
}


def envelope(**change: Any) -> dict[str, Any]:
    """Return a like's envelope; None leaves a field out."""
    fields: dict[str, Any] = {
        "did": "did:plc:a",
        "time_us": NOON_US,
        "kind": "commit",
        "commit": COMMIT,
        **change,
    }
    return {name: value for name, value in fields.items() if value is not None}


def commit(**change: Any) -> dict[str, Any]:
    return envelope(commit={name: value for name, value in {**COMMIT, **change}.items() if value is not None})


def numbered(kind: str, **change: Any) -> dict[str, Any]:
    return envelope(kind=kind, commit=None, **{kind: {"seq": 7, "did": "did:plc:a", **change}})


def frame(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope, ensure_ascii=False).encode()


def event(envelope: dict[str, Any]) -> Event:
    return validate(frame(envelope), LARGEST)


def reason(raw: bytes) -> str:
    with pytest.raises(BadInput) as bad:
        validate(raw, LARGEST)
    return bad.value.reason


def answer(raw: bytes) -> Event | Reason:
    """Return the event, or the reason, which must be a Reason."""
    try:
        return validate(raw, LARGEST)
    except BadInput as bad:
        return Reason(bad.reason)


def test_an_event_keeps_its_bytes() -> None:
    raw = (
        b' {"kind" :"commit","did":"did:plc:a",  "time_us":5,"new":[1.50],"commit":' + frame(COMMIT) + b"}\n"
    )
    found = validate(raw, LARGEST)
    assert found.frame == raw
    assert (found.stream, found.time_us, found.seq) == (Stream.LIKES, 5, None)
    assert (found.collection, len(found.identity)) == ("app.bsky.feed.like", 16)


@pytest.mark.parametrize(
    ("envelope", "stream"),
    [
        (commit(collection="app.bsky.feed.post"), Stream.POSTS),
        (commit(collection="org.example.x"), Stream.RECORDS),
        (commit(operation="delete", record=None, cid=None), Stream.LIKES),
        (commit(operation="resurrect", record=None), Stream.LIKES),
        (commit(record=7), Stream.LIKES),
        (commit(rev="", rkey="", collection=""), Stream.RECORDS),
        (numbered("identity"), Stream.IDENTITIES),
        (numbered("account", active=False, status="new"), Stream.ACCOUNTS),
        (numbered("account", seq=-(2**63)), Stream.ACCOUNTS),
        (envelope(time_us=0), Stream.LIKES),
        (envelope(time_us=LATEST_TIME_US), Stream.LIKES),
        (envelope(account={"seq": 1}), Stream.LIKES),
    ],
)
def test_unusual_but_complete_envelopes_are_events(envelope: dict[str, Any], stream: Stream) -> None:
    assert event(envelope).stream is stream


@pytest.mark.parametrize(
    ("cursor", "seq"),
    [
        (7, 7),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-1, None),
        (1.5, None),
        ("7", None),
        (True, None),
    ],
)
def test_an_invalid_sequence_number_does_not_reject_the_event(cursor: object, seq: int | None) -> None:
    assert event(envelope(cursor=cursor)).seq == seq


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b"\x00", Reason.NOT_JSON),
        (frame(envelope()) + b"x", Reason.NOT_JSON),
        (b"[1,2,3]", Reason.WRONG_TYPE),
        (b"null", Reason.WRONG_TYPE),
        (b"\xff", Reason.BAD_UNICODE),
        (frame(commit()).replace(b"at://x", b"\xed\xa0\x80"), Reason.BAD_UNICODE),
        (frame(envelope()).replace(b"did:plc:a", b"\\ud800"), Reason.BAD_UNICODE),
        (frame(envelope(did=None)), Reason.MISSING_FIELD),
        (frame(envelope(time_us=None)), Reason.MISSING_FIELD),
        (frame(envelope(kind=None)), Reason.MISSING_FIELD),
        (frame(envelope(commit=None)), Reason.MISSING_FIELD),
        (frame(commit(rev=None)), Reason.MISSING_FIELD),
        (frame(commit(record=None)), Reason.MISSING_FIELD),
        (frame(envelope(kind="identity")), Reason.MISSING_FIELD),
        (frame(numbered("identity", seq=None)), Reason.WRONG_TYPE),
        (frame(envelope(did=7)), Reason.WRONG_TYPE),
        (frame(envelope(time_us="soon")), Reason.WRONG_TYPE),
        (frame(envelope(time_us=True)), Reason.WRONG_TYPE),
        (frame(envelope(commit=[])), Reason.WRONG_TYPE),
        (frame(envelope(time_us=-1)), Reason.INTEGER_OVERFLOW),
        (frame(envelope(time_us=LATEST_TIME_US + 1)), Reason.INTEGER_OVERFLOW),
        (frame(envelope(time_us=2**63)), Reason.INTEGER_OVERFLOW),
        (frame(envelope(time_us=2**64)), Reason.INTEGER_OVERFLOW),
        (frame(numbered("account", seq=2**63)), Reason.INTEGER_OVERFLOW),
        (frame(envelope(kind="tombstone")), Reason.UNKNOWN_KIND),
        (frame(envelope(kind="")), Reason.UNKNOWN_KIND),
        (b"[" * 5000, Reason.WRONG_TYPE),
        (frame(commit(text="x" * LARGEST)), Reason.TOO_LARGE),
    ],
)
def test_invalid_frames_give_their_reason(raw: bytes, why: Reason) -> None:
    assert reason(raw) == why


def nested(levels: int) -> bytes:
    return frame(commit(record="@")).replace(b'"@"', b"[" * levels + b"]" * levels)


def test_depth_is_counted_exactly_and_not_in_strings() -> None:
    around = 2
    assert validate(nested(DEEPEST - around), LARGEST)
    assert reason(nested(DEEPEST - around + 1)) == Reason.TOO_DEEP
    assert reason(nested(40_000)) == Reason.TOO_DEEP
    assert event(commit(record={"text": '[{"\\' * 1000})), "brackets in a string are text"
    assert event(commit(record=[[]] * 1000)), "wide, not deep"


def test_size_is_bounded_exactly() -> None:
    raw = frame(envelope())
    assert validate(raw, len(raw))
    with pytest.raises(BadInput, match=Reason.TOO_LARGE):
        validate(raw, len(raw) - 1)


@given(st.binary(max_size=200) | st.text(st.characters(codec="utf-8")).map(str.encode))
@example(b'{"did":"\\ud800"}')
def test_any_bytes_give_an_event_or_a_reason(raw: bytes) -> None:
    assert isinstance(answer(raw), Event | Reason)


@given(any_event(), st.data())
def test_any_damaged_event_gives_an_event_or_a_reason(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw)))
    until = data.draw(st.integers(at, min(len(raw), at + 5)))
    damaged = raw[:at] + data.draw(st.binary(max_size=3)) + raw[until:]
    for one in (raw, damaged):
        found = answer(one)
        assert found == answer(one)
        if isinstance(found, Event):
            assert found.frame == one
            assert found.stream in JETSTREAM_STREAMS
            assert 0 <= found.time_us <= LATEST_TIME_US


@pytest.mark.parametrize(
    "change", [{"time_us": 1}, {"cursor": 9}, {"more": 1}, {"commit": {**COMMIT, "cid": "z", "record": {}}}]
)
def test_the_same_event_from_another_host_has_the_same_identity(change: dict[str, Any]) -> None:
    assert event(envelope(**change)).identity == event(envelope()).identity


DIFFERENT = [
    envelope(),
    envelope(did="did:plc:b"),
    commit(rev="r"),
    commit(collection="app.bsky.feed.post"),
    commit(rkey="k"),
    commit(operation="update"),
    commit(operation="delete"),
    commit(rev="a", rkey="bc"),
    commit(rev="ab", rkey="c"),
    commit(rev='a","b'),
    numbered("identity"),
    numbered("account"),
    numbered("identity", seq=8),
    {**numbered("identity"), "did": "did:plc:b"},
]


def test_different_events_have_different_identities() -> None:
    assert len({event(envelope).identity for envelope in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize("offset_us", [0, 700_000])
def test_v1_and_v2_hosts_give_the_same_identities(offset_us: int) -> None:
    traffic = Traffic(3, NOON_US, 500, 500)
    v1 = [validate(raw, LARGEST) for raw in traffic.truth(HostView())]
    v2 = [validate(raw, LARGEST) for raw in traffic.truth(HostView("v2", offset_us, 90))]
    assert [one.identity for one in v1] == [one.identity for one in v2]
    assert len({one.identity for one in v1}) == 500
    assert [one.seq for one in v2] == list(range(90, 590))
    assert {one.seq for one in v1} == {None}


@given(st.binary(), st.binary())
def test_a_reject_is_identified_by_its_bytes(one: bytes, other: bytes) -> None:
    assert (reject_identity(one) == reject_identity(other)) == (one == other)


def test_a_frame_is_decompressed_before_validation_and_kept_so() -> None:
    raw = json.dumps(commit()).encode()
    found = validator(LARGEST, lambda frame: frame[::-1])(raw[::-1])
    assert isinstance(found, Event)
    assert found.frame == raw


def test_the_validator_returns_a_reason_and_raises_nothing() -> None:
    def refuse(_: bytes) -> bytes:
        raise BadInput(Reason.TOO_LARGE)

    assert validator(LARGEST)(b"{") is Reason.NOT_JSON
    assert validator(LARGEST, refuse)(b"{") is Reason.TOO_LARGE
