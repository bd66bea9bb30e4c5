"""Canonical JSON, and the stream, identity and digest of an event."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

Event = dict[str, Any]

_STREAM_OF = {
    "app.bsky.feed.post": "posts",
    "app.bsky.feed.like": "likes",
    "app.bsky.feed.repost": "reposts",
    "app.bsky.graph.follow": "follows",
}
_DIGITS_OF_INT = 4000
"""Python refuses to parse an int of more than 4,300 digits."""


def parse(text: bytes | str) -> Any:
    """Return a JSON value in which 1 and 1.0 differ, and numbers of any size are kept.

    Raises ValueError (also UnicodeDecodeError) or RecursionError if it is not JSON.
    """
    return json.loads(text, parse_int=_parse_int, parse_float=_parse_float)


def stream_of(frame: bytes) -> str:
    """Return the stream of a frame; `rejects` if it is not an event."""
    try:
        event = parse(frame)
        match event["kind"]:
            case "commit":
                return _STREAM_OF.get(event["commit"]["collection"], "records")
            case "identity":
                return "identities"
            case "account":
                return "accounts"
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # the ingester rejects it too
    return "rejects"


def digest(event: Event, *, ignore_host_fields: bool) -> bytes:
    """Return 16 bytes, equal for events that are equal as JSON.

    `ignore_host_fields` ignores `time_us` and `cursor`, which differ between hosts.
    """
    if ignore_host_fields:
        event = {key: value for key, value in event.items() if key not in ("time_us", "cursor")}
    return digest_bytes(canonical(event).encode())


def identity(event: Event) -> tuple[Any, ...]:
    """Return the identity of an event, the same from every host. Raises KeyError or TypeError."""
    if event["kind"] == "commit":
        commit = event["commit"]
        return (event["did"], *(commit[key] for key in ("rev", "collection", "rkey", "operation")))
    return (event["did"], event["kind"], event[event["kind"]]["seq"])


def canonical(value: Any) -> str:
    """Return a value as text, the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_bytes(content: bytes) -> bytes:
    """Return a digest of 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()


def _parse_int(text: str) -> Any:
    return int(text) if len(text) <= _DIGITS_OF_INT else {"\0number": text}


def _parse_float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else {"\0number": text}
