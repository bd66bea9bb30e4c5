"""Streams, events, rejects and gaps, and their encoding in the buffer."""

from __future__ import annotations

import base64
from enum import StrEnum

import msgspec


class Stream(StrEnum):
    """One kind of row: it has a schema and a Redis list of its own."""

    POSTS = "posts"
    LIKES = "likes"
    REPOSTS = "reposts"
    FOLLOWS = "follows"
    RECORDS = "records"
    IDENTITIES = "identities"
    ACCOUNTS = "accounts"
    REJECTS = "rejects"
    GAPS = "gaps"


STREAM_OF_COLLECTION = {
    "app.bsky.feed.post": Stream.POSTS,
    "app.bsky.feed.like": Stream.LIKES,
    "app.bsky.feed.repost": Stream.REPOSTS,
    "app.bsky.graph.follow": Stream.FOLLOWS,
}
"""Collections with a stream of their own; all others go to `records`."""

OWN_STREAMS = (Stream.REJECTS, Stream.GAPS)
"""The streams whose events are made here; they have `received_at` where Jetstream's have `time_us`."""

JETSTREAM_STREAMS = tuple(stream for stream in Stream if stream not in OWN_STREAMS)
"""The streams whose events are Jetstream frames."""


class Reason(StrEnum):
    """Why a frame was rejected: the complete list."""

    NOT_JSON = "not_json"
    BAD_UNICODE = "bad_unicode"
    TOO_DEEP = "too_deep"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INTEGER_OVERFLOW = "integer_overflow"
    UNKNOWN_KIND = "unknown_kind"
    TOO_LARGE = "too_large"
    ENCODE_FAILED = "encode_failed"


class GapReason(StrEnum):
    """Why events may be missing in an interval: the complete list."""

    ARCHIVE_START = "archive_start"
    """The time before the archive's start."""
    CURSOR_TOO_OLD = "cursor_too_old"
    """The host no longer keeps the events at the cursor; its replay began later."""
    HOST_CHANGED = "host_changed"
    """The host replayed no known event: it is another server, or its sequence numbers changed."""
    COLLECTION_SILENT = "collection_silent"
    """A collection fell silent on every host in turn."""
    OVERSIZE_FRAME = "oversize_frame"
    """A frame larger than INGEST_MAX_FRAME_BYTES was skipped."""
    CUTOVER = "cutover"
    """The window where a replay met the live tail could not be re-read."""
    CHECKPOINTS_LOST = "checkpoints_lost"
    """The archive has parts but no checkpoint, so the ingester resumed at the start of the look-back."""
    REPAIRED = "repaired"
    """The gap is closed: the interval was read again, and the missing events are committed."""


class Event(msgspec.Struct, gc=False, frozen=True):
    """A frame that passed validation."""

    stream: Stream
    time_us: int
    """Unix microseconds, given by the Jetstream host."""
    seq: int | None
    """A v2 host's sequence number; None from a v1 host."""
    identity: bytes
    """16 bytes: equal for the same event from any host."""
    frame: bytes
    """The bytes as received: Jetstream's v1 JSON."""
    collection: str
    """The commit's collection; the kind for identity and account events."""


class Reject(msgspec.Struct, frozen=True):
    """A frame that failed validation, and why."""

    reason: Reason
    frame: bytes
    host: str
    received_at: int
    """Unix microseconds of receipt, which determine the hour of the row."""

    def encode(self) -> bytes:
        """Return the JSON that is buffered, with the frame in base64."""
        return msgspec.json.encode(
            {
                "reason": self.reason,
                "frame": base64.b64encode(self.frame).decode(),
                "host": self.host,
                "received_at": self.received_at,
            }
        )


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interval in which events may be missing; both ends in Unix microseconds of event time."""

    from_us: int
    to_us: int
    reason: GapReason
    host: str
    received_at: int
    """Unix microseconds at which the gap was found, which determine the hour of the row."""
    collection: str | None = None
    """The affected collection, or None for all."""

    def encode(self) -> bytes:
        """Return the JSON that is buffered."""
        return msgspec.json.encode(self)


def stream_of(kind: str, collection: str) -> Stream:
    """Return the stream of an event of this kind (`commit`, `identity`, `account`) and collection."""
    if kind == "commit":
        return STREAM_OF_COLLECTION.get(collection, Stream.RECORDS)
    return Stream.IDENTITIES if kind == "identity" else Stream.ACCOUNTS
