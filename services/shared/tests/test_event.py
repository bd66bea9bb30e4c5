"""Streams, and the encoding of rejects and gaps in the buffer."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.event import (
    JETSTREAM_STREAMS,
    Gap,
    GapReason,
    Reason,
    Reject,
    Stream,
    stream_of,
)


@pytest.mark.parametrize(
    ("kind", "collection", "stream"),
    [
        ("commit", "app.bsky.feed.post", Stream.POSTS),
        ("commit", "app.bsky.feed.like", Stream.LIKES),
        ("commit", "app.bsky.feed.repost", Stream.REPOSTS),
        ("commit", "app.bsky.graph.follow", Stream.FOLLOWS),
        ("commit", "app.bsky.graph.block", Stream.RECORDS),
        ("commit", "app.bsky.feed.Post", Stream.RECORDS),
        ("commit", "app.bsky.feed.post.", Stream.RECORDS),
        ("commit", "", Stream.RECORDS),
        ("commit", "identity", Stream.RECORDS),
        ("identity", "identity", Stream.IDENTITIES),
        ("account", "account", Stream.ACCOUNTS),
    ],
)
def test_every_event_has_one_stream(kind: str, collection: str, stream: Stream) -> None:
    assert stream_of(kind, collection) is stream


def test_rejects_and_gaps_are_not_streams_of_jetstream() -> None:
    assert set(Stream) - set(JETSTREAM_STREAMS) == {Stream.REJECTS, Stream.GAPS}


@given(st.binary(), st.sampled_from(Reason), st.text(st.characters(codec="utf-8")), st.integers(0, 2**62))
def test_a_reject_keeps_every_byte(frame: bytes, reason: Reason, host: str, at: int) -> None:
    decoded = json.loads(Reject(reason, frame, host, at).encode())
    assert base64.b64decode(decoded["frame"], validate=True) == frame
    assert (decoded["reason"], decoded["host"], decoded["received_at"]) == (reason, host, at)


def test_a_gap_holds_its_interval_and_reason() -> None:
    gap = Gap(1, 2, GapReason.COLLECTION_SILENT, "host", 3, "app.bsky.feed.post")
    assert json.loads(gap.encode()) == {
        "from_us": 1,
        "to_us": 2,
        "reason": "collection_silent",
        "host": "host",
        "received_at": 3,
        "collection": "app.bsky.feed.post",
    }
    assert "collection" not in json.loads(Gap(1, 2, GapReason.ARCHIVE_START, "", 3).encode())
