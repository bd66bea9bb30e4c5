"""Lenient decoding: read, key by key, an event of a shape that strict decoding does not accept.

Values that fit a typed column go there; everything else is the residual, which the column `extra` keeps
verbatim, so nothing of the event is lost. Refused are only an event without its envelope and a commit without
the keys that identify it, which validation does not let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from msgspec import Raw

from services.data_writer.encoding.decode import (
    NO_REF,
    NO_REPLY,
    NULL,
    Account,
    AccountEvent,
    Commit,
    CommitEvent,
    Decoded,
    Follow,
    Identity,
    IdentityEvent,
    Int64,
    Like,
    Post,
    Ref,
    Reply,
    Repost,
    TimeUs,
)
from services.shared.errors import BadInput
from services.shared.event import OWN_STREAMS, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

Keys = dict[str, Raw]
"""A JSON object, decoded one level deep: each value is its JSON text."""

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for JSON that is invalid, too deep or of another type than expected."""

KEYS = msgspec.json.Decoder(Keys)
TEXT = msgspec.json.Decoder(str)
TEXTS = msgspec.json.Decoder(list[str])
FLAG = msgspec.json.Decoder(bool)
INT64 = msgspec.json.Decoder(Int64)


class Residual:
    """The values of one event that its typed columns do not hold, collected while the columns are filled.

    Whole values, by the level they came from (`event`, `commit`, `identity`, `account`, `record`). DATA.md
    describes how columns and residual give the event again.
    """

    def __init__(self) -> None:
        self.type_mismatches = 0
        """Number of values that did not have their column's type."""
        self._levels: dict[str, dict[str, Raw | str]] = {}
        self._absent: list[str] = []

    def keep(self, level: str, key: str, value: Raw | str) -> None:
        """Keep one value."""
        self._levels.setdefault(level, {})[key] = value

    def keep_all(self, level: str, keys: Keys) -> None:
        """Keep all remaining keys."""
        for key, value in keys.items():
            self.keep(level, key, value)

    def note_absent(self, path: str) -> None:
        """Record that the event lacks a key which rebuilding it from its columns would add."""
        self._absent.append(path)

    def extra(self) -> bytes | None:
        """Return the JSON for the column `extra`, or None if the residual is empty."""
        if not self._levels and not self._absent:
            return None
        return msgspec.json.encode(self._levels | ({"absent": self._absent} if self._absent else {}))

    def take(self, level: str, keys: Keys, key: str, decoder: msgspec.json.Decoder[Any]) -> Any:
        """Remove an optional value from `keys` and return it; None if absent, or kept as a mismatch."""
        raw = keys.pop(key, None)
        value = self._fit(raw, decoder)
        if raw is not None and value is None:
            self.keep(level, key, raw)
        return value

    def take_ref(self, keys: Keys, key: str) -> Ref:
        """Remove a reference from a record's keys and return it; keep it if its columns lack part of it."""
        raw = keys.pop(key, None)
        ref, complete = self._ref(raw)
        if raw is not None and not complete:
            self.keep("record", key, raw)
        return ref

    def take_reply(self, keys: Keys) -> Reply:
        """Remove the reply from a post's keys and return it; keep it if its columns lack part of it."""
        raw = keys.pop("reply", None)
        if raw is None:
            return NO_REPLY
        sides = self._fit(raw, KEYS) or {}
        root, root_complete = self._ref(sides.get("root"))
        parent, parent_complete = self._ref(sides.get("parent"))
        if not sides or root_complete + parent_complete != len(sides):
            self.keep("record", "reply", raw)
        return Reply(root, parent)

    def _ref(self, raw: Raw | None) -> tuple[Ref, bool]:
        """Return the parts of a reference that have the right type, and whether they are all of it."""
        if raw is None:
            return NO_REF, False
        keys = self._fit(raw, KEYS) or {}
        uri, cid = self._fit(keys.get("uri"), TEXT), self._fit(keys.get("cid"), TEXT)
        complete = bool(keys) and (uri is not None) + (cid is not None) == len(keys)
        return Ref(uri, cid), complete

    def _fit(self, raw: Raw | None, decoder: msgspec.json.Decoder[Any]) -> Any:
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except DECODE_ERRORS:
            self.type_mismatches += 1
            return None


_TIME_US = msgspec.json.Decoder(TimeUs)


def decode_leniently(stream: Stream, source: bytes) -> tuple[Decoded, Residual]:
    """Return an event's JSON as its stream's struct, and its residual.

    Raises BadInput (`encode_failed`) if the JSON is invalid or a required key is missing or of another type.
    """
    if stream in OWN_STREAMS:
        _refuse(None)  # this project writes them itself: another shape is an error
    try:
        source.decode()
    except UnicodeDecodeError as error:
        _refuse(error)
    residual = Residual()
    event = _required({"event": Raw(source)}, "event", KEYS)
    kind = _required(event, "kind", TEXT)
    if kind != _KIND_OF.get(stream, "commit"):
        _refuse(None)
    did = _required(event, "did", TEXT)
    time_us = _required(event, "time_us", _TIME_US)
    cursor = residual.take("event", event, "cursor", INT64)
    body = _required(event, kind, KEYS)
    residual.keep_all("event", event)
    if stream is Stream.IDENTITIES:
        return IdentityEvent(did, time_us, "identity", _identity(did, body, residual), cursor), residual
    if stream is Stream.ACCOUNTS:
        return AccountEvent(did, time_us, "account", _account(did, body, residual), cursor), residual
    return CommitEvent(did, time_us, "commit", _commit(stream, body, residual), cursor), residual


_KIND_OF = {Stream.IDENTITIES: "identity", Stream.ACCOUNTS: "account"}


def _commit(stream: Stream, keys: Keys, residual: Residual) -> Commit[Any, Any]:
    commit: Commit[Any, Any] = Commit(
        rev=_required(keys, "rev", TEXT),
        operation=_required(keys, "operation", TEXT),
        collection=_required(keys, "collection", TEXT),
        rkey=_required(keys, "rkey", TEXT),
        cid=residual.take("commit", keys, "cid", TEXT),
    )
    writes = commit.operation in ("create", "update")
    if writes and "record" not in keys:
        _refuse(None)
    if stream is Stream.RECORDS:
        commit.record = keys.pop("record", NULL)
    elif writes:
        record = residual.take("commit", keys, "record", KEYS)
        if record is not None:
            commit.record = _record(stream, commit.collection, record, residual)
    residual.keep_all("commit", keys)
    return commit


def _record(stream: Stream, collection: str, keys: Keys, residual: Residual) -> Any:
    _drop_repeated("record", "$type", collection, keys, residual)
    struct = _RECORD_OF[stream](keys, residual)
    residual.keep_all("record", keys)
    return struct


def _post(keys: Keys, residual: Residual) -> Post:
    return Post(
        type="app.bsky.feed.post",
        created_at=residual.take("record", keys, "createdAt", TEXT),
        text=residual.take("record", keys, "text", TEXT),
        langs=residual.take("record", keys, "langs", TEXTS),
        reply=residual.take_reply(keys),
        embed=keys.pop("embed", NULL),
        facets=keys.pop("facets", NULL),
        labels=keys.pop("labels", NULL),
        tags=residual.take("record", keys, "tags", TEXTS),
    )


def _like(keys: Keys, residual: Residual) -> Like:
    return Like(
        type="app.bsky.feed.like",
        created_at=residual.take("record", keys, "createdAt", TEXT),
        subject=residual.take_ref(keys, "subject"),
        via=residual.take_ref(keys, "via"),
    )


def _repost(keys: Keys, residual: Residual) -> Repost:
    return Repost(
        type="app.bsky.feed.repost",
        created_at=residual.take("record", keys, "createdAt", TEXT),
        subject=residual.take_ref(keys, "subject"),
        via=residual.take_ref(keys, "via"),
    )


def _follow(keys: Keys, residual: Residual) -> Follow:
    return Follow(
        type="app.bsky.graph.follow",
        created_at=residual.take("record", keys, "createdAt", TEXT),
        subject=residual.take("record", keys, "subject", TEXT),
    )


_RECORD_OF: dict[Stream, Callable[[Keys, Residual], Any]] = {
    Stream.POSTS: _post,
    Stream.LIKES: _like,
    Stream.REPOSTS: _repost,
    Stream.FOLLOWS: _follow,
}


def _identity(did: str, keys: Keys, residual: Residual) -> Identity:
    _drop_repeated("identity", "did", did, keys, residual)
    identity = Identity(
        did=did,
        seq=_required(keys, "seq", INT64),
        time=residual.take("identity", keys, "time", TEXT),
        handle=residual.take("identity", keys, "handle", TEXT),
    )
    residual.keep_all("identity", keys)
    return identity


def _account(did: str, keys: Keys, residual: Residual) -> Account:
    _drop_repeated("account", "did", did, keys, residual)
    account = Account(
        active=residual.take("account", keys, "active", FLAG),
        did=did,
        seq=_required(keys, "seq", INT64),
        time=residual.take("account", keys, "time", TEXT),
        status=residual.take("account", keys, "status", TEXT),
    )
    residual.keep_all("account", keys)
    return account


def _drop_repeated(level: str, key: str, value: str, keys: Keys, residual: Residual) -> None:
    """Drop a value that repeats a column; keep it if it differs, and note it if it is absent."""
    if key not in keys:
        residual.note_absent(f"{level}.{key}")
        return
    raw = keys[key]
    text = residual.take(level, keys, key, TEXT)
    if text is not None and text != value:
        residual.keep(level, key, raw)


def _required(keys: Keys, key: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(keys.pop(key))
    except KeyError:
        _refuse(None)
    except DECODE_ERRORS as error:
        _refuse(error)


def _refuse(error: Exception | None) -> NoReturn:
    raise BadInput(Reason.ENCODE_FAILED) from error
