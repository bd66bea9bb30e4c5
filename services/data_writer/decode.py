"""Reads the elements of a chunk: strictly and fast, in the shape that nearly every event has.

Each struct below says a whole shape: exactly these keys, of these types. What passes has nothing left over,
so its columns say all of it. What does not pass is read key by key in `leftovers`, which makes the same
structs and keeps the rest. A missing key is None here; a JSON null is not (it fails the type), so the two
are never confused.
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
"""Stands for an absent key; defaults are not type-checked, JSON values are."""

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TimeUs = Annotated[int, Meta(ge=0, le=MAX_TIME_US)]

Collection = TypeVar("Collection")
Record = TypeVar("Record")


# gc=False throughout: a chunk holds hundreds of thousands of these, none can be part of a reference cycle,
# and tracking them makes decoding several times slower.
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
    """The posts that a reply answers."""

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
    """What happened to a record."""

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
    """A DID's identity is to be looked up again."""

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
    """An account's status changed."""

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


class RejectElement(Struct, gc=False):
    """A reject as the ingester buffered it. Our own form, so keys that a newer ingester adds are no error."""

    reason: str
    frame: bytes
    host: str
    received_at: TimeUs
    stream: str | None = None
    """Whose buffer it came from, where it was the writer that rejected it."""


class GapElement(Struct, gc=False):
    """A gap as it was buffered; as above."""

    from_us: Int64
    to_us: Int64
    reason: str
    host: str
    received_at: TimeUs
    collection: str | None = None


Decoded = CommitEvent[Any, Any] | IdentityEvent | AccountEvent | RejectElement | GapElement

STRICT: dict[Stream, msgspec.json.Decoder[Any]] = {
    Stream.POSTS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.post"], Post]),
    Stream.LIKES: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.like"], Like]),
    Stream.REPOSTS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.feed.repost"], Repost]),
    Stream.FOLLOWS: msgspec.json.Decoder(CommitEvent[Literal["app.bsky.graph.follow"], Follow]),
    Stream.RECORDS: msgspec.json.Decoder(CommitEvent[str, Raw]),
    Stream.IDENTITIES: msgspec.json.Decoder(IdentityEvent),
    Stream.ACCOUNTS: msgspec.json.Decoder(AccountEvent),
    Stream.REJECTS: msgspec.json.Decoder(RejectElement),
    Stream.GAPS: msgspec.json.Decoder(GapElement),
}
"""The strict decoder of each stream's elements; raises ValidationError where an element has another shape."""


_WRITES = ("create", "update")


def _is_whole_commit(event: CommitEvent[Any, Any], _: bytes) -> bool:
    return (event.commit.record is not None) == (event.commit.operation in _WRITES)


def _is_whole_post(event: CommitEvent[Any, Any], element: bytes) -> bool:
    return _is_whole_commit(event, element) and _is_unicode(element)


def _is_whole_record(event: CommitEvent[Any, Any], element: bytes) -> bool:
    return (event.commit.record is not None or event.commit.operation not in _WRITES) and _is_unicode(element)


def _is_whole_identity(event: IdentityEvent, _: bytes) -> bool:
    return event.identity.did == event.did


def _is_whole_account(event: AccountEvent, _: bytes) -> bool:
    return event.account.did == event.did


def _is_unicode(element: bytes) -> bool:
    """Ask what Raw does not: the decoder looks into text only where it makes a str of it."""
    try:
        return element.isascii() or bool(element.decode())
    except UnicodeDecodeError:
        return False


IS_WHOLE: dict[Stream, Callable[[Any, bytes], bool]] = {
    Stream.POSTS: _is_whole_post,
    Stream.LIKES: _is_whole_commit,
    Stream.REPOSTS: _is_whole_commit,
    Stream.FOLLOWS: _is_whole_commit,
    Stream.RECORDS: _is_whole_record,
    Stream.IDENTITIES: _is_whole_identity,
    Stream.ACCOUNTS: _is_whole_account,
    Stream.REJECTS: lambda *_: True,
    Stream.GAPS: lambda *_: True,
}
"""Whether the columns say all of an event that was decoded strictly: what a shape alone cannot tell."""
