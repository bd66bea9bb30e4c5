"""Pure: the request to a Jetstream host.

ConnectionState: jetstream's README, "Consuming Jetstream" (query parameters, options_update).
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

LONGEST_URL = 4000
"""Some proxies refuse URLs from 8 kB on; longer filters are sent in a first message instead."""


class Filter(NamedTuple):
    """Collections and accounts to keep; empty keeps all."""

    collections: tuple[str, ...] = ()
    dids: tuple[str, ...] = ()


class Subscription(NamedTuple):
    """The URL to connect to, and the first message to send (None: none)."""

    url: str
    hello: bytes | None


def subscribe(
    host: str, wanted: Filter, position: int | None, *, compress: bool = False, skip_larger: int | None = None
) -> Subscription:
    """Return the subscription to `host` from cursor `position` (None: from now on).

    With `skip_larger` the host leaves out events of more bytes. It is used only to skip a frame that cannot
    be received: nothing tells which events were left out.
    """
    base = host if "://" in host else f"wss://{host}"
    query: list[tuple[str, str | int]] = []
    if position is not None:
        query.append(("cursor", position))
    if compress:
        query.append(("compress", "true"))
    filters: list[tuple[str, str | int]] = [("wantedCollections", name) for name in wanted.collections]
    filters += [("wantedDids", did) for did in wanted.dids]
    if skip_larger is not None:
        filters.append(("maxMessageSizeBytes", skip_larger))
    url = _url(base, query + filters)
    if len(url) <= LONGEST_URL:
        return Subscription(url, None)
    payload = {
        "wantedCollections": list(wanted.collections),
        "wantedDids": list(wanted.dids),
        "maxMessageSizeBytes": skip_larger or 0,
    }
    hello = msgspec.json.encode({"type": "options_update", "payload": payload})
    return Subscription(_url(base, [*query, ("requireHello", "true")]), hello)


def _url(base: str, query: list[tuple[str, str | int]]) -> str:
    return f"{base.rstrip('/')}/subscribe" + (f"?{urlencode(query)}" if query else "")
