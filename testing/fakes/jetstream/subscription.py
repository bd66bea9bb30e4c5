"""Requests of clients, parsed as v1 and v2 do (query, filters, hello messages); records of connections."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Kind = Literal["v1", "v2"]

_NSID = re.compile(
    r"[a-zA-Z][a-zA-Z0-9-]{0,62}(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+\.[a-zA-Z][a-zA-Z0-9]{0,62}"
)
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_MOST_COLLECTIONS = 100
_MOST_DIDS = 10_000


class Refused(Exception):  # noqa: N818 - named after what the client sees
    """A request that is answered with an HTTP error instead of an upgrade."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


@dataclass(frozen=True, slots=True)
class Filters:
    """The events that a client wants; empty filters match everything."""

    collections: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dids: frozenset[str] = frozenset()
    max_bytes: int = 0
    """Larger messages are skipped silently; 0: no limit."""

    def match(self, did: str, collection: str | None) -> bool:
        """Return whether an event passes; identity and account events pass every collection filter."""
        if self.dids and did not in self.dids:
            return False
        if collection is None or not (self.collections or self.prefixes):
            return True
        return collection in self.collections or collection.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A parsed request to /subscribe."""

    filters: Filters
    cursor: int | None
    compress: bool
    require_hello: bool


def query_of(path: str) -> dict[str, list[str]]:
    """Return the parameters of a request's path, repeated ones in order."""
    return parse_qs(urlsplit(path).query, keep_blank_values=True)


def parse(path: str, headers: Mapping[str, str], kind: Kind) -> Subscription:
    """Parse a request; raises Refused with the text that the real server sends."""
    query = query_of(path)
    first = {name: values[0] for name, values in query.items()}
    compress = first.get("compress") == "true" or "zstd" in headers.get("Socket-Encoding", "")
    deflate = "permessage-deflate" in headers.get("Sec-WebSocket-Extensions", "")
    if kind == "v2" and compress and deflate:
        raise Refused("choose one compression scheme, zstd or permessage-deflate, not both")
    return Subscription(
        filters=parse_filters(
            query.get("wantedCollections", ()),
            query.get("wantedDids", ()),
            _size(first.get("maxMessageSizeBytes", "")),
            kind,
        ),
        cursor=_cursor(first.get("cursor", ""), kind),
        compress=compress,
        require_hello=first.get("requireHello") == "true",
    )


def parse_filters(collections: Iterable[str], dids: Iterable[str], max_bytes: int, kind: Kind) -> Filters:
    """Parse filters; raises Refused where a host of this kind would."""
    exact: set[str] = set()
    prefixes: list[str] = []
    for pattern in collections:
        if pattern.endswith(".*"):
            prefixes.append(pattern[:-1])
        elif _NSID.fullmatch(pattern):
            exact.add(pattern)
        else:
            raise Refused(f"invalid subscriber options: invalid collection: {pattern}")
    if kind == "v2":
        prefixes = list(dict.fromkeys(prefixes))
    if len(exact) + len(prefixes) > _MOST_COLLECTIONS:
        more = f": > {_MOST_COLLECTIONS}" if kind == "v2" else ""
        raise Refused(f"invalid subscriber options: too many wanted collections{more}")
    accounts = frozenset(dids)
    for did in accounts:
        if not _DID.fullmatch(did):
            raise Refused("invalid subscriber options" + (f": invalid DID: {did}" if kind == "v2" else ""))
    if len(accounts) > _MOST_DIDS:
        more = f": {len(accounts)} > {_MOST_DIDS}" if kind == "v2" else ""
        raise Refused(f"invalid subscriber options: too many wanted DIDs{more}")
    return Filters(frozenset(exact), tuple(prefixes), accounts, max_bytes)


def parse_hello(message: dict[str, Any], kind: Kind) -> Filters | None:
    """Return the filters of an options_update message; None for another type of message."""
    if message.get("type") != "options_update":
        return None
    payload = message.get("payload") or {}
    return parse_filters(
        payload.get("wantedCollections") or (),
        payload.get("wantedDids") or (),
        max(0, int(payload.get("maxMessageSizeBytes") or 0)),
        kind,
    )


def _size(text: str) -> int:
    size = int(text) if _INTEGER.fullmatch(text) else 0
    return size if 0 < size < 2**32 else 0


def _cursor(text: str, kind: Kind) -> int | None:
    if not text:
        return None
    cursor = int(text) if _INTEGER.fullmatch(text) else None
    if cursor is None or not -(2**63) <= cursor < 2**63 or (kind == "v2" and cursor < 0):
        raise Refused(f"invalid cursor: {text}" if kind == "v1" else f'subscribe: invalid cursor: "{text}"')
    return cursor


@dataclass(slots=True)
class ConnectionRecord:
    """One request to /subscribe, refused ones included."""

    path: str
    query: dict[str, list[str]]
    refused: int | None = None
    """HTTP status of the refusal."""
    sent: int = 0
    """Number of frames sent, planted and repeated ones included."""
    close_code: int | None = None
    """1006 without a close frame; None while open."""
    caught_up: bool = False
    """Whether it has reached the live tail."""
    dropped: list[int] = field(default_factory=list)
    """Events that a cutover did not send."""
    late: list[int] = field(default_factory=list)
    """Events that a cutover sent out of order."""

    @property
    def cursor(self) -> str | None:
        """The cursor as the client sent it."""
        return self.query.get("cursor", [None])[0]
