"""Every event becomes a row of its stream or of `rejects`, in its UTC hour."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import pyarrow as pa
import pytest

from services.data_writer.encoding import encode as encode_module
from services.data_writer.encoding.columns import to_table
from services.data_writer.encoding.encode import encode, time_of
from services.shared.event import Gap, GapReason, Reason, Reject, Stream

NOON_US = 1_783_166_400_000_000
HOUR_US = 3_600_000_000
NOON = NOON_US // HOUR_US


def like(time_us: int = NOON_US, **commit: Any) -> bytes:
    record = {
        "$type": "app.bsky.feed.like",
        "createdAt": "2026-07-04T14:38:02.123Z",
        "subject": {"uri": "u", "cid": "c"},
    }
    whole = {
        "rev": "r",
        "operation": "create",
        "collection": "app.bsky.feed.like",
        "rkey": "k",
        "record": record,
    }
    return json.dumps({"did": "d", "time_us": time_us, "kind": "commit", "commit": whole | commit}).encode()


BAD = [
    b"",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'{"did":"d"}',
    b"[" * 100_000,
    like()[:-1],
    like() + b"{}",
    like().replace(b'"d"', b"1"),
    like().replace(b'"rkey": "k"', b'"rkey": null'),
    like().replace(b'"commit", ', b'"identity", '),
    like(record=None).replace(b', "record": null', b""),
    like(-1),
    like(253_402_300_800_000_000),
    like(2**70),
    like().replace(b'"uri": "u"', b'"uri": "\\ud800"'),
    like().replace(b'"uri": "u"', b'"uri": "\xed\xa0\x80"'),
    like().replace(b'"uri": "u"', b'"other": "\xff"'),
    like().replace(b'"uri": "u"', b'"uri": NaN'),
]


@pytest.fixture
def _tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()


@pytest.mark.usefixtures("_tokyo")
@pytest.mark.parametrize("border", [NOON_US, 1_783_123_200_000_000, 1_798_761_600_000_000])
def test_the_last_microsecond_of_an_hour_and_the_first_of_the_next_are_in_two_parts(border: int) -> None:
    encoded = encode(Stream.LIKES, [like(border), like(border - 1), like(border + HOUR_US - 1)])
    assert [(part.hour, part.table["time_us"].to_pylist()) for part in encoded.parts] == [
        (border // HOUR_US - 1, [border - 1]),
        (border // HOUR_US, [border, border + HOUR_US - 1]),
    ]
    assert (encoded.chunk.first_us, encoded.chunk.last_us) == (border - 1, border + HOUR_US - 1)


@pytest.mark.parametrize("time_us", [0, 253_402_300_799_999_999])
def test_the_first_and_the_last_valid_time_are_encoded(time_us: int) -> None:
    (part,) = encode(Stream.LIKES, [like(time_us)]).parts
    assert part.hour == time_us // HOUR_US
    assert part.table["event_time"].cast(pa.int64()).to_pylist() == [time_us // 1000]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_an_event_that_cannot_be_encoded_is_rejected_and_the_others_are_encoded(bad: bytes) -> None:
    encoded = encode(Stream.LIKES, [like(rkey="a"), bad, like(rkey="b")], host="host")
    own, rejects = encoded.parts
    assert own.table["rkey"].to_pylist() == ["a", "b"]
    assert encoded.rows == 2
    assert [rejected.event for rejected in encoded.rejected] == [bad]
    assert rejects.stream is Stream.REJECTS
    assert rejects.hour == NOON
    assert rejects.table.drop_columns(["event_time"]).to_pylist() == [
        {
            "reason": Reason.ENCODE_FAILED.value,
            "frame": bad,
            "host": "host",
            "received_at": NOON_US,
            "stream": "likes",
        }
    ]


def test_a_rejected_event_is_in_its_own_hour_if_its_time_is_readable() -> None:
    late = NOON_US + 5 * HOUR_US
    encoded = encode(Stream.LIKES, [like(), like(late).replace(b'"d"', b"1"), b"?"])
    assert [(part.stream, part.hour) for part in encoded.parts] == [
        (Stream.LIKES, NOON),
        (Stream.REJECTS, NOON),
        (Stream.REJECTS, NOON + 5),
    ]


def test_rejected_events_are_in_hour_0_if_no_event_of_the_chunk_has_a_readable_time() -> None:
    encoded = encode(Stream.LIKES, [b"?", b"!"])
    assert [(part.stream, part.hour, part.table.num_rows) for part in encoded.parts] == [
        (Stream.REJECTS, 0, 2)
    ]


def test_the_chunk_does_not_depend_on_which_events_were_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [like(NOON_US + n * HOUR_US, rkey=str(n)) for n in range(4)]
    chunk = encode(Stream.LIKES, events).chunk

    def refuses_the_first(stream: Stream, events: Any, residuals: Any) -> pa.Table:
        if stream is Stream.LIKES and any(event.commit.rkey == "0" for event in events):
            raise pa.ArrowInvalid("as an older version might")
        return to_table(stream, events, residuals)

    monkeypatch.setattr(encode_module, "to_table", refuses_the_first)
    encoded = encode(Stream.LIKES, events)
    assert encoded.rows == 3
    assert encoded.chunk == chunk


@pytest.mark.parametrize("bad", [0, 3, 7])
def test_an_event_that_arrow_cannot_store_is_found_by_bisection(
    bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(stream: Stream, events: Any, residuals: Any) -> pa.Table:
        if stream is Stream.LIKES and any(event.commit.rkey == str(bad) for event in events):
            raise OverflowError
        return to_table(stream, events, residuals)

    monkeypatch.setattr(encode_module, "to_table", refuses)
    events = [like(rkey=str(n), odd=n) for n in range(8)]
    encoded = encode(Stream.LIKES, events)
    kept = encoded.parts[0].table.select(["rkey", "extra"]).to_pylist()
    assert kept == [{"rkey": str(n), "extra": f'{{"commit":{{"odd":{n}}}}}'} for n in range(8) if n != bad]
    assert [rejected.event for rejected in encoded.rejected] == [events[bad]]


def test_rows_keep_the_order_of_arrival_over_many_blocks() -> None:
    events = [
        like(NOON_US + 10_000 - n, rkey=str(n), **({"odd": 1} if n % 7 == 0 else {})) for n in range(10_000)
    ]
    (part,) = encode(Stream.LIKES, events).parts
    assert part.table["rkey"].to_pylist() == [str(n) for n in range(10_000)]
    assert part.table["extra"].null_count == 10_000 - 1429


def test_values_of_another_type_are_counted() -> None:
    odd = {"$type": "app.bsky.feed.like", "createdAt": {}, "subject": {"uri": 1, "cid": "c"}, "via": "x"}
    encoded = encode(Stream.LIKES, [like(record=odd, cid=5), like()])
    assert encoded.type_mismatches == 4
    assert encoded.parts[0].table["subject_cid"].to_pylist() == ["c", "c"]


def test_rejects_and_gaps_are_in_the_hour_of_their_receipt() -> None:
    reject = Reject(Reason.TOO_DEEP, b"\xff\x00", "host", NOON_US).encode()
    (part,) = encode(Stream.REJECTS, [reject]).parts
    assert (part.stream, part.hour) == (Stream.REJECTS, NOON)
    row = part.table.to_pylist()[0]
    assert (row["reason"], row["frame"], row["host"], row["stream"]) == (
        "too_deep",
        b"\xff\x00",
        "host",
        None,
    )
    gap = Gap(1, 2, GapReason.HOST_CHANGED, "host", NOON_US, "a.b").encode()
    (part,) = encode(Stream.GAPS, [gap]).parts
    row = part.table.to_pylist()[0]
    assert (part.hour, row["from_us"], row["to_us"], row["reason"]) == (NOON, 1, 2, "host_changed")
    assert row["collection"] == "a.b"


def test_an_unreadable_reject_is_in_the_same_part_as_the_rejects_of_its_hour() -> None:
    reject = Reject(Reason.TOO_DEEP, b"\xff", "host", NOON_US).encode()
    encoded = encode(Stream.REJECTS, [b"?", reject])
    (part,) = encoded.parts
    assert part.table["frame"].to_pylist() == [b"\xff", b"?"]
    assert part.table["stream"].to_pylist() == [None, "rejects"]
    assert (encoded.rows, len(encoded.rejected)) == (1, 1)


def test_a_chunk_without_events_has_no_parts() -> None:
    encoded = encode(Stream.POSTS, [])
    assert (encoded.parts, encoded.rows, encoded.rejected) == ((), 0, ())


def test_garbage_collection_is_enabled_again_only_if_it_was_enabled() -> None:
    assert gc.isenabled()
    encode(Stream.LIKES, [like(), b"?"])
    assert gc.isenabled()
    gc.disable()
    try:
        encode(Stream.LIKES, [like()])
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("event", "time_us"),
    [
        (like(5), 5),
        (b'{"time_us":7}', 7),
        (b'{"time_us":7,"did":[]}', 7),
        (b'{"time_us":-1}', None),
        (b'{"time_us":253402300800000000}', None),
        (b'{"time_us":"7"}', None),
        (b"{}", None),
        (b"", None),
        (b'{"did":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_the_time_is_read_whatever_else_is_wrong(event: bytes, time_us: int | None) -> None:
    assert time_of(Stream.LIKES, event) == time_us
    assert time_of(Stream.GAPS, event.replace(b"time_us", b"received_at")) == time_us
