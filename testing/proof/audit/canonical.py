"""One text for equal JSON values, and the digests that stand for an event and for what identifies it."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

Event = dict[str, Any]

_DIGITS_OF_INT = 4000
"""Python refuses to make an int of more than 4,300 digits."""


def parse(text: bytes | str) -> Any:
    """Return a JSON value in which 1 and 1.0 differ, and no number is lost for its size.

    Raises ValueError (also UnicodeDecodeError) or RecursionError where it is no JSON.
    """
    return json.loads(text, parse_int=_parse_int, parse_float=_parse_float)


def digest(event: Event, *, ignore_host_fields: bool) -> bytes:
    """Return 16 bytes, equal for events that are equal as JSON.

    Without host fields, `time_us` and `cursor` do not count: two hosts give them differently to one event.
    """
    if ignore_host_fields:
        event = {key: value for key, value in event.items() if key not in ("time_us", "cursor")}
    return digest_bytes(canonical(event).encode())


def identity(event: Event) -> tuple[Any, ...]:
    """Return what makes an event the same event from any host, at any time. Raises KeyError or TypeError."""
    if event["kind"] == "commit":
        commit = event["commit"]
        return (event["did"], *(commit[key] for key in ("rev", "collection", "rkey", "operation")))
    return (event["did"], event["kind"], event[event["kind"]]["seq"])


def canonical(value: Any) -> str:
    """Return the value's one text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_bytes(content: bytes) -> bytes:
    """Return 16 bytes that stand for the content."""
    return hashlib.blake2b(content, digest_size=16).digest()


def _parse_int(text: str) -> Any:
    return int(text) if len(text) <= _DIGITS_OF_INT else {"\0number": text}


def _parse_float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else {"\0number": text}
