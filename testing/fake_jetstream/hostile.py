"""Frames that no honest host sends, by name: what to plant."""

from __future__ import annotations

import base64

from testing.fake_jetstream.store import Planted

_HEAD = (
    b'{"did":"did:plc:hostilehostilehostileho","time_us":1,"kind":"commit","commit":{"rev":"3l4mv3drjc42h",'
)
_PLACE = b'"operation":"create","collection":"app.bsky.feed.post","rkey":"3l4mv3draiu2h","record":'
_TAIL = b',"cid":"bafyreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}'


def _event(record: bytes) -> bytes:
    return _HEAD + _PLACE + record + _TAIL


def planted(what: str, size: int = 0) -> Planted:
    """Return one of the frames named in `HOSTILE`; `size` is levels of `nested`, MiB of `huge`.

    All but the malformed ones share one identity; ValueError for an unknown name.
    """
    if what == "nested":
        levels = size or 1_000
        return Planted(_event(b'{"deep":' + b"[" * levels + b"]" * levels + b"}"))
    if what == "huge":
        return Planted(_event(b'{"text":"' + b"x" * ((size or 2) << 20) + b'"}'))
    if what not in HOSTILE:
        raise ValueError(f"{what} is none of {', '.join(sorted(HOSTILE))}")
    return HOSTILE[what]


HOSTILE: dict[str, Planted] = {
    "not_json": Planted(b'{"did":"did:plc:hostilehostilehostileho","time_us":1,'),
    "empty": Planted(b""),
    "array": Planted(b"[1,2,3]"),
    "bad_utf8": Planted(_event(b'{"text":"\xff\xfe\x80"}')),
    "raw_surrogate": Planted(_event(b'{"text":"\xed\xa0\x80"}')),
    "lone_surrogate": Planted(_event(rb'{"text":"\ud800"}')),
    "unknown_kind": Planted(_HEAD.replace(b'"commit","commit":{"rev":"3l4mv3drjc42h",', b'"tombstone"}')),
    "no_did": Planted(b'{"time_us":1,"kind":"commit","commit":{}}'),
    "time_as_text": Planted(_HEAD.replace(b":1,", b':"soon",') + _PLACE + b"{}" + _TAIL),
    "time_too_big": Planted(_HEAD.replace(b":1,", b":92233720368547758070,") + _PLACE + b"{}" + _TAIL),
    "binary": Planted(bytes(range(256)), binary=True),
    "nested": Planted(b""),
    "huge": Planted(b""),
}
"""Name: frame. The last two are made to size by `planted`."""


def planted_raw(text: str, *, binary: bool = False) -> Planted:
    """Return a frame given in base64, as the control path carries it."""
    return Planted(base64.b64decode(text), binary)
