"""Reads, key by key, an event that has another shape than `decode` expects, and loses nothing of it.

Typed columns take what fits them, leftovers the rest. Refused is only what validation should never have let
through: an event without its envelope, or a commit without what identifies it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from msgspec import Raw

from services.data_writer.decode import (
    NULL,
    Account,
    AccountEvent,
    Commit,
    CommitEvent,
    Decoded,
    Follow,
    Identity,
    IdentityEvent,
    Like,
    Post,
    Repost,
    TimeUs,
)
from services.data_writer.element_time import OWN_STREAMS
from services.data_writer.leftovers import FLAG, INT64, KEYS, TEXT, TEXTS, UNREADABLE, Keys, Leftovers
from services.shared.errors import BadInput
from services.shared.event import Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

_TIME_US = msgspec.json.Decoder(TimeUs)


def salvage(stream: Stream, element: bytes) -> tuple[Decoded, Leftovers]:
    """Return the event as its stream's struct, and what that leaves.

    Raises BadInput (`encode_failed`) where a guaranteed key is missing or of another type, or the JSON is
    none.
    """
    if stream in OWN_STREAMS:
        _refuse(None)  # our own forms are strict: what does not decode cannot be read in another way
    try:
        element.decode()
    except UnicodeDecodeError as error:
        _refuse(error)
    left = Leftovers()
    event = _guaranteed({"event": Raw(element)}, "event", KEYS)
    kind = _guaranteed(event, "kind", TEXT)
    if kind != _KIND_OF.get(stream, "commit"):
        _refuse(None)
    did = _guaranteed(event, "did", TEXT)
    time_us = _guaranteed(event, "time_us", _TIME_US)
    cursor = left.take("event", event, "cursor", INT64)
    body = _guaranteed(event, kind, KEYS)
    left.keep_all("event", event)
    if stream is Stream.IDENTITIES:
        return IdentityEvent(did, time_us, "identity", _identity(did, body, left), cursor), left
    if stream is Stream.ACCOUNTS:
        return AccountEvent(did, time_us, "account", _account(did, body, left), cursor), left
    return CommitEvent(did, time_us, "commit", _commit(stream, body, left), cursor), left


_KIND_OF = {Stream.IDENTITIES: "identity", Stream.ACCOUNTS: "account"}


def _commit(stream: Stream, keys: Keys, left: Leftovers) -> Commit[Any, Any]:
    commit: Commit[Any, Any] = Commit(
        rev=_guaranteed(keys, "rev", TEXT),
        operation=_guaranteed(keys, "operation", TEXT),
        collection=_guaranteed(keys, "collection", TEXT),
        rkey=_guaranteed(keys, "rkey", TEXT),
        cid=left.take("commit", keys, "cid", TEXT),
    )
    writes = commit.operation in ("create", "update")
    if writes and "record" not in keys:
        _refuse(None)
    if stream is Stream.RECORDS:
        commit.record = keys.pop("record", NULL)
    elif writes:
        record = left.take("commit", keys, "record", KEYS)
        if record is not None:
            commit.record = _record(stream, commit.collection, record, left)
    left.keep_all("commit", keys)
    return commit


def _record(stream: Stream, collection: str, keys: Keys, left: Leftovers) -> Any:
    _expected("record", "$type", collection, keys, left)
    made = _RECORD_OF[stream](keys, left)
    left.keep_all("record", keys)
    return made


def _post(keys: Keys, left: Leftovers) -> Post:
    return Post(
        type="app.bsky.feed.post",
        created_at=left.take("record", keys, "createdAt", TEXT),
        text=left.take("record", keys, "text", TEXT),
        langs=left.take("record", keys, "langs", TEXTS),
        reply=left.take_reply(keys),
        embed=keys.pop("embed", NULL),
        facets=keys.pop("facets", NULL),
        labels=keys.pop("labels", NULL),
        tags=left.take("record", keys, "tags", TEXTS),
    )


def _like(keys: Keys, left: Leftovers) -> Like:
    return Like(
        type="app.bsky.feed.like",
        created_at=left.take("record", keys, "createdAt", TEXT),
        subject=left.take_ref(keys, "subject"),
        via=left.take_ref(keys, "via"),
    )


def _repost(keys: Keys, left: Leftovers) -> Repost:
    return Repost(
        type="app.bsky.feed.repost",
        created_at=left.take("record", keys, "createdAt", TEXT),
        subject=left.take_ref(keys, "subject"),
        via=left.take_ref(keys, "via"),
    )


def _follow(keys: Keys, left: Leftovers) -> Follow:
    return Follow(
        type="app.bsky.graph.follow",
        created_at=left.take("record", keys, "createdAt", TEXT),
        subject=left.take("record", keys, "subject", TEXT),
    )


_RECORD_OF: dict[Stream, Callable[[Keys, Leftovers], Any]] = {
    Stream.POSTS: _post,
    Stream.LIKES: _like,
    Stream.REPOSTS: _repost,
    Stream.FOLLOWS: _follow,
}


def _identity(did: str, keys: Keys, left: Leftovers) -> Identity:
    _expected("identity", "did", did, keys, left)
    identity = Identity(
        did=did,
        seq=_guaranteed(keys, "seq", INT64),
        time=left.take("identity", keys, "time", TEXT),
        handle=left.take("identity", keys, "handle", TEXT),
    )
    left.keep_all("identity", keys)
    return identity


def _account(did: str, keys: Keys, left: Leftovers) -> Account:
    _expected("account", "did", did, keys, left)
    account = Account(
        active=left.take("account", keys, "active", FLAG),
        did=did,
        seq=_guaranteed(keys, "seq", INT64),
        time=left.take("account", keys, "time", TEXT),
        status=left.take("account", keys, "status", TEXT),
    )
    left.keep_all("account", keys)
    return account


def _expected(level: str, key: str, value: str, keys: Keys, left: Leftovers) -> None:
    """Leave alone what repeats a column; note what differs from it or is absent."""
    if key not in keys:
        left.absent(f"{level}.{key}")
        return
    raw = keys[key]
    found = left.take(level, keys, key, TEXT)
    if found is not None and found != value:
        left.keep(level, key, raw)


def _guaranteed(keys: Keys, key: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(keys.pop(key))
    except KeyError:
        _refuse(None)
    except UNREADABLE as error:
        _refuse(error)


def _refuse(error: Exception | None) -> NoReturn:
    raise BadInput(Reason.ENCODE_FAILED) from error
