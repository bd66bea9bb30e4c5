"""Strict decoding: the structs of the shape that nearly every event has, and fast decoders for them.

Each struct lists exactly the keys and types of its shape, so the columns hold everything of an event that
decodes. An event of another shape is decoded key by key in `lenient`, which builds the same structs and keeps
the rest. A missing key is None here; a JSON null fails its type, so the two cannot be confused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from services.archive.paths import MAX_TIME_US
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

NULL: Any = None
"""Default of an absent key. msgspec checks the types of JSON values, not of defaults."""

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TimeUs = Annotated[int, Meta(ge=0, le=MAX_TIME_US)]

Collection = TypeVar("Collection")
Record = TypeVar("Record")


# gc=False: a chunk has hundreds of thousands of these structs, none can be part of a reference cycle, and
# tracking them makes decoding several times slower.
class Ref(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A strong reference to a record."""

    uri: str
    cid: str


NO_REF = Ref(NULL, NULL)


class Like(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A like's record."""

    type: Literal["app.bsky.feed.like"] = field(name="$type")
    created_at: str = field(name="createdAt")
    subject: Ref
    via: Ref = NO_REF


class Repost(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A repost's record."""

    type: Literal["app.bsky.feed.repost"] = field(name="$type")
    created_at: str = field(name="createdAt")
    subject: Ref
    via: Ref = NO_REF


class Follow(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A follow's record."""

    type: Literal["app.bsky.graph.follow"] = field(name="$type")
    created_at: str = field(name="createdAt")
    subject: str


class Reply(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """The root and the parent of a reply."""

    root: Ref
    parent: Ref


NO_REPLY = Reply(NO_REF, NO_REF)


class Post(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A post's record."""

    type: Literal["app.bsky.feed.post"] = field(name="$type")
    created_at: str = field(name="createdAt")
    text: str
    langs: list[str] = NULL
    reply: Reply = NO_REPLY
    embed: Raw = NULL
    facets: Raw = NULL
    labels: Raw = NULL
    tags: list[str] = NULL


class Commit(Struct, Generic[Collection, Record], gc=False, forbid_unknown_fields=True):
    """An operation on a record."""

    rev: str
    operation: str
    collection: Collection
    rkey: str
    record: Record = NULL
    cid: str = NULL


class CommitEvent(Struct, Generic[Collection, Record], gc=False, forbid_unknown_fields=True):
    """An event of kind `commit`."""

    did: str
    time_us: TimeUs
    kind: Literal["commit"]
    commit: Commit[Collection, Record]
    cursor: Int64 = NULL


class Identity(Struct, gc=False, forbid_unknown_fields=True):
    """The identity of a DID changed."""

    did: str
    seq: Int64
    time: str
    handle: str = NULL


class IdentityEvent(Struct, gc=False, forbid_unknown_fields=True):
    """An event of kind `identity`."""

    did: str
    time_us: TimeUs
    kind: Literal["identity"]
    identity: Identity
    cursor: Int64 = NULL


class Account(Struct, gc=False, forbid_unknown_fields=True):
    """The status of an account changed."""

    active: bool
    did: str
    seq: Int64
    time: str
    status: str = NULL


class AccountEvent(Struct, gc=False, forbid_unknown_fields=True):
    """An event of kind `account`."""

    did: str
    time_us: TimeUs
    kind: Literal["account"]
    account: Account
    cursor: Int64 = NULL


class BufferedReject(Struct, gc=False):
    """A reject as the ingester buffers it. Unknown keys are ignored: a newer ingester may add some."""

    reason: str
    frame: bytes
    host: str
    received_at: TimeUs
    stream: str | None = None
    """The stream it was buffered in, if the writer rejected it."""


class BufferedGap(Struct, gc=False):
    """A gap as the ingester buffers it. Unknown keys are ignored."""

    from_us: Int64
    to_us: Int64
    reason: str
    host: str
    received_at: TimeUs
    collection: str | None = None


Decoded = CommitEvent[Any, Any] | IdentityEvent | AccountEvent | BufferedReject | BufferedGap

STRICT: dict[Stream, msgspec.json.Decoder[Any]] = {
    Stream.POSTS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.post"], Post]),
    Stream.LIKES: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.like"], Like]),
    Stream.REPOSTS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.repost"], Repost]),
    Stream.FOLLOWS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.graph.follow"], Follow]),
    Stream.RECORDS: msgspec.json.Decoder(CommitEvent[str, Raw]),
    Stream.IDENTITIES: msgspec.json.Decoder(IdentityEvent),
    Stream.ACCOUNTS: msgspec.json.Decoder(AccountEvent),
    Stream.REJECTS: msgspec.json.Decoder(BufferedReject),
    Stream.GAPS: msgspec.json.Decoder(BufferedGap),
}
"""The strict decoder of each stream's events; raises ValidationError for an event of another shape."""

_WRITES = ("create", "update")


def _commit_round_trips(event: CommitEvent[Any, Any], _: bytes) -> bool:
    return (event.commit.record is not None) == (event.commit.operation in _WRITES)


def _post_round_trips(event: CommitEvent[Any, Any], source: bytes) -> bool:
    return _commit_round_trips(event, source) and _is_unicode(source)


def _record_round_trips(event: CommitEvent[Any, Any], source: bytes) -> bool:
    return (event.commit.record is not None or event.commit.operation not in _WRITES) and _is_unicode(source)


def _identity_round_trips(event: IdentityEvent, _: bytes) -> bool:
    return event.identity.did == event.did


def _account_round_trips(event: AccountEvent, _: bytes) -> bool:
    return event.account.did == event.did


def _is_unicode(source: bytes) -> bool:
    """Return whether the JSON is UTF-8: the decoder checks only text that it converts to str, never Raw."""
    try:
        return source.isascii() or bool(source.decode())
    except UnicodeDecodeError:
        return False


ROUND_TRIPS: dict[Stream, Callable[[Any, bytes], bool]] = {
    Stream.POSTS: _post_round_trips,
    Stream.LIKES: _commit_round_trips,
    Stream.REPOSTS: _commit_round_trips,
    Stream.FOLLOWS: _commit_round_trips,
    Stream.RECORDS: _record_round_trips,
    Stream.IDENTITIES: _identity_round_trips,
    Stream.ACCOUNTS: _account_round_trips,
    Stream.REJECTS: lambda *_: True,
    Stream.GAPS: lambda *_: True,
}
"""Whether the columns hold everything of a strictly decoded event, by rules that a type cannot express.

Called with the decoded event and its JSON."""
