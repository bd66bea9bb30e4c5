"""Malformed and extreme frames by name, to be planted."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from testing.events.names import tid
from testing.fakes.jetstream.store import Planted

if TYPE_CHECKING:
    from collections.abc import Callable

_DID = b"did:plc:hostilehostilehostileho"
_SOME_TIME_US = 1_726_880_765_818_347


def planted(what: str, *, size: int = 0, time_us: int = _SOME_TIME_US) -> Planted:
    """Return a hostile frame; its identity depends on name and time. ValueError for an unknown name.

    `size`: levels of `nested` (default 1,000), MiB of `huge` (default 2). `huge` is a valid event.
    """
    if what not in HOSTILE:
        raise ValueError(f"{what} is none of {', '.join(HOSTILE)}")
    return Planted(HOSTILE[what](time_us, size), binary=what == "binary")


def planted_raw(text: str, *, binary: bool = False) -> Planted:
    """Return a frame given in base64, as in control commands."""
    return Planted(base64.b64decode(text), binary)


def _event(record: bytes, time_us: int, salt: int, *, time: bytes = b"%d") -> bytes:
    name = tid(time_us, salt).encode()
    at = time % time_us if b"%d" in time else time
    return (
        b'{"did":"' + _DID + b'","time_us":' + at + b',"kind":"commit","commit":{"rev":"' + name + b'",'
        b'"operation":"create","collection":"app.bsky.feed.post","rkey":"' + name + b'","record":'
        b'{"$type":"app.bsky.feed.post","createdAt":"2026-07-04T14:38:08.999Z",' + record + b"},"
        b'"cid":"bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}'
    )


def _nested(time_us: int, size: int) -> bytes:
    levels = size or 1_000
    return _event(b'"text":"deep","deep":' + b"[" * levels + b"]" * levels, time_us, 1)


def _huge(time_us: int, size: int) -> bytes:
    return _event(b'"text":"' + b"x" * ((size or 2) << 20) + b'"', time_us, 2)


def _tombstone(time_us: int, _size: int) -> bytes:
    return b'{"did":"%s","time_us":%d,"kind":"tombstone","tombstone":{}}' % (_DID, time_us)


HOSTILE: dict[str, Callable[[int, int], bytes]] = {
    "not_json": lambda time_us, _: b'{"did":"%s","time_us":%d,' % (_DID, time_us),
    "empty": lambda *_: b"",
    "array": lambda *_: b"[1,2,3]",
    "binary": lambda *_: bytes(range(256)),
    "bad_utf8": lambda time_us, _: _event(b'"text":"\xff\xfe\x80"', time_us, 3),
    "raw_surrogate": lambda time_us, _: _event(b'"text":"\xed\xa0\x80"', time_us, 4),
    "lone_surrogate": lambda time_us, _: _event(rb'"text":"\ud800"', time_us, 5),
    "unknown_kind": _tombstone,
    "no_did": lambda time_us, _: b'{"time_us":%d,"kind":"commit","commit":{}}' % time_us,
    "time_as_text": lambda time_us, _: _event(b'"text":""', time_us, 6, time=b'"soon"'),
    "time_too_big": lambda time_us, _: _event(b'"text":""', time_us, 7, time=b"92233720368547758070"),
    "nested": _nested,
    "huge": _huge,
}
"""Functions of time and size, by name."""
