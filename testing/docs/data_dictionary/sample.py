"""The archive of DATA.md's examples: two hours as the writer commits them, the same each time."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import Gap, GapReason, Reason, Reject, Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_US = 1_790_006_400_000_000
"""An hour's beginning, 2026-09-21T16:00Z."""
EVENTS, A_SECOND = 1440, 0.2
HOST = "wss://jetstream.example.org"
THREAD = 4
RARE = "app.bsky.feed.threadgate"
MINUTE_US = 60_000_000


def build(root: Path) -> Path:
    """Commit the archive at `root`, which must not be there yet; returns it."""
    root.mkdir(parents=True)
    by_stream: dict[Stream, list[bytes]] = defaultdict(list)
    for frame in _frames():
        by_stream[Stream(stream_of(frame))].append(frame)
    hole = (START_US + 70 * MINUTE_US, START_US + 85 * MINUTE_US)
    gap = Gap(*hole, GapReason.CURSOR_TOO_OLD, HOST, START_US)
    silent = Gap(START_US, START_US + MINUTE_US, GapReason.COLLECTION_SILENT, HOST, START_US, RARE)
    by_stream[Stream.GAPS] = [gap.element(), silent.element()]
    by_stream[Stream.REJECTS] = [Reject(Reason.NOT_JSON, b"not an event", HOST, START_US).element()]
    # Without a DID and a kind the writer can make no row of it.
    by_stream[Stream.IDENTITIES].append(b'{"time_us":%d}' % START_US)
    origin = ChunkOrigin(writer_version="1", epoch="1", host=HOST)
    for stream, elements in by_stream.items():
        commit(root, encode(stream, elements, HOST), origin)
    return root


def _frames() -> Iterator[bytes]:
    """Yield the traffic of a v2 host, in which a short thread and a careless client are put by hand."""
    thread: list[dict[str, str]] = []
    careless = True
    for frame in Traffic(seed=11, first_us=START_US, rate=A_SECOND, total=EVENTS).truth(HostView("v2")):
        event: dict[str, Any] = json.loads(frame)
        commit = event.get("commit", {})
        record = commit.get("record", {})
        if record.get("$type") == "app.bsky.feed.post" and len(thread) < THREAD:
            if thread:
                record["reply"] = {"root": thread[0], "parent": thread[-1]}
            else:
                record.pop("reply", None)
                author = event["did"]
            # The author begins the thread and ends it.
            event["did"] = author if len(thread) == THREAD - 1 else event["did"]
            uri = f"at://{event['did']}/{commit['collection']}/{commit['rkey']}"
            thread.append({"uri": uri, "cid": commit["cid"]})
        elif record.get("$type") == "app.bsky.feed.like" and careless:
            record |= {"createdAt": "2026-09-21T16:00:02Z", "via": "feed"}
            careless = False
        yield json.dumps(event, ensure_ascii=False).encode()
