"""What passes from stage to stage: streams, events, rejects and gaps, and their form in the buffer.

Spine: validate makes these, buffer carries them, claim and encode read them back.
"""

from __future__ import annotations

import base64
from enum import StrEnum

import msgspec


class Stream(StrEnum):
    """One kind of event with one schema and one Redis list."""

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
"""Collections with a schema of their own; every other collection goes to `records`."""

OWN_STREAMS = (Stream.REJECTS, Stream.GAPS)
"""The streams whose events are made here; they have `received_at` where Jetstream's have `time_us`."""

JETSTREAM_STREAMS = tuple(stream for stream in Stream if stream not in OWN_STREAMS)
"""The streams whose events are Jetstream frames."""


class Reason(StrEnum):
    """Why a frame was rejected: the whole list."""

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
    """Why a hole in the archive cannot be excluded: the whole list."""

    ARCHIVE_START = "archive_start"
    """Everything before the archive began."""
    CURSOR_TOO_OLD = "cursor_too_old"
    """The host no longer keeps the events at our cursor and began later."""
    HOST_CHANGED = "host_changed"
    """Nothing the host replayed was known to us: another server, or another numbering."""
    COLLECTION_SILENT = "collection_silent"
    """A collection fell silent on every host in turn."""
    OVERSIZE_FRAME = "oversize_frame"
    """A frame larger than any we can receive was stepped over."""
    CUTOVER = "cutover"
    """The window where a replay met the live tail could not be read a second time."""
    CHECKPOINTS_LOST = "checkpoints_lost"
    """The archive has parts but no checkpoint, so we resumed at the look-back's floor."""
    REPAIRED = "repaired"
    """The end of a hole: the interval was read again, and what was missing is committed."""


class Event(msgspec.Struct, gc=False, frozen=True):
    """A frame that passed validation."""

    stream: Stream
    time_us: int
    """Unix microseconds, given by the Jetstream host."""
    seq: int | None
    """A v2 host's sequence number; None from a v1 host."""
    identity: bytes
    """16 bytes: equal for the same event from any host (design: drop repeats by identity only)."""
    frame: bytes
    """The bytes as received: Jetstream's v1 JSON."""
    collection: str
    """The commit's collection; the kind for identity and account events."""


class Reject(msgspec.Struct, frozen=True):
    """A frame that failed validation, kept whole."""

    reason: Reason
    frame: bytes
    host: str
    received_at: int
    """Unix microseconds of receipt; decides the hour it is archived in."""

    def element(self) -> bytes:
        """Form in the buffer: JSON with the frame in base64."""
        return msgspec.json.encode(
            {
                "reason": self.reason,
                "frame": base64.b64encode(self.frame).decode(),
                "host": self.host,
                "received_at": self.received_at,
            }
        )


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interval in which events may have been missed; both ends in Unix microseconds of event time."""

    from_us: int
    to_us: int
    reason: GapReason
    host: str
    received_at: int
    """Unix microseconds at which the gap was noted; decides the hour it is archived in."""
    collection: str | None = None
    """The one collection concerned, or None for all."""

    def element(self) -> bytes:
        """Form in the buffer: JSON."""
        return msgspec.json.encode(self)


def stream_of(kind: str, collection: str) -> Stream:
    """Return the stream of an event of this kind (`commit`, `identity`, `account`) and collection."""
    if kind == "commit":
        return STREAM_OF_COLLECTION.get(collection, Stream.RECORDS)
    return Stream.IDENTITIES if kind == "identity" else Stream.ACCOUNTS
