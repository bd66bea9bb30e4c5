"""The same events as Jetstream's v2 wire has them (`subscribeEvents`), for clients that speak no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NSID = "network.bsky.jetstream.subscribeEvents"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def v2_frame(frame: bytes, seq: int) -> bytes:
    """Return an event of the v1 wire as the v2 wire tells it, numbered `seq`; nothing of it is left out."""
    event = json.loads(frame)
    kind = event["kind"]
    time = (EPOCH + timedelta(microseconds=event["time_us"])).isoformat(timespec="microseconds")
    payload: dict[str, Any] = {"$type": f"{NSID}#{kind}", "did": event["did"], "seq": seq}
    payload["time"] = time.replace("+00:00", "Z")
    payload |= event["commit"] if kind == "commit" else {kind: event[kind]}
    return json.dumps(
        {"$type": "message", "payload": payload}, ensure_ascii=False, separators=(",", ":")
    ).encode()


def render_v2(frames: Path, target: Path) -> Path:
    """Write a file of frames again in the v2 form, if it is not there yet; returns it.

    Without the rare events whose record is no map: the client of PyPI's `atproto` ends at the first.
    """
    if not target.exists():
        with frames.open("rb") as lines, target.open("wb") as file:
            for seq, line in enumerate(lines, 1):
                if isinstance(json.loads(line).get("commit", {}).get("record", {}), dict):
                    file.write(v2_frame(line, seq) + b"\n")
    return target
