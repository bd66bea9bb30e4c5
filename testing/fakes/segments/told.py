"""An event as a host's archive keeps it, and as that archive tells it again."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, NamedTuple

from testing.fakes.segments.cbor import encode

KINDS = {"create": 1, "update": 2, "delete": 3, "identity": 4, "account": 5, "sync": 6, "create_resync": 7}


class Row(NamedTuple):
    """One row of a block."""

    seq: int
    witnessed_us: int
    kind: int
    did: str
    collection: str
    rkey: str
    rev: str
    payload: bytes


def row_of(frame: bytes, seq: int) -> Row:
    """Return what is kept of an event of the v1 wire."""
    event = json.loads(frame)
    when, did, kind = event["time_us"], event["did"], event["kind"]
    if kind != "commit":
        return Row(seq, when, KINDS[kind], did, "", "", "", encode(event[kind]))
    commit = event["commit"]
    payload = encode(commit["record"]) if "record" in commit else b""
    names = (commit["collection"], commit["rkey"], commit["rev"])
    return Row(seq, when, KINDS[commit["operation"]], did, *names, payload)


def as_told(frame: bytes, seq: int) -> bytes:
    """Return the event as it can be read from there: with its number, and the CID of its record."""
    event: dict[str, Any] = json.loads(frame)
    if "record" in event.get("commit", {}):
        event["commit"]["cid"] = cid(encode(event["commit"]["record"]))
    return json.dumps(event | {"cursor": seq}).encode()


def cid(payload: bytes) -> str:
    """Return the CID, version 1, of a record's DAG-CBOR."""
    digest = bytes((1, 0x71, 0x12, 32)) + hashlib.sha256(payload).digest()
    return "b" + base64.b32encode(digest).decode().lower().rstrip("=")
