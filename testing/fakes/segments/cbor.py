"""Writes DAG-CBOR: what atproto's repositories hold, from what their JSON says."""

from __future__ import annotations

import base64
import struct
from typing import Any

_SIMPLE = {None: b"\xf6", False: b"\xf4", True: b"\xf5"}


def encode(value: Any) -> bytes:
    """Return the one encoding of a JSON value; maps are sorted by length, then by bytes."""
    match value:
        case None | bool():
            raw = _SIMPLE[value]
        case int():
            raw = _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            raw = b"\xfb" + struct.pack(">d", value)
        case str():
            raw = _counted(3, value.encode())
        case list():
            raw = _head(4, len(value)) + b"".join(map(encode, value))
        case {"$link": link, **rest} if not rest:
            raw = b"\xd8\x2a" + _counted(2, b"\x00" + _unbase32(link))
        case {"$bytes": text, **rest} if not rest:
            raw = _counted(2, base64.b64decode(text + "=" * (-len(text) % 4)))
        case _:
            raw = _map(value)
    return raw


def _map(value: dict[str, Any]) -> bytes:
    pairs = sorted(
        ((key.encode(), item) for key, item in value.items()), key=lambda pair: (len(pair[0]), pair[0])
    )
    return _head(5, len(pairs)) + b"".join(_counted(3, key) + encode(item) for key, item in pairs)


def _counted(major: int, raw: bytes) -> bytes:
    return _head(major, len(raw)) + raw


def _unbase32(link: str) -> bytes:
    text = link[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for small, letter, end in ((24, "B", 1 << 8), (25, "H", 1 << 16), (26, "I", 1 << 32), (27, "Q", 1 << 64)):
        if argument < end:
            return bytes([major << 5 | small]) + struct.pack(f">{letter}", argument)
    raise ValueError(f"{argument} does not fit")
