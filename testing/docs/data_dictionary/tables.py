"""The tables of DATA.md, and the sample archive of its examples: two hours as the writer commits them."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from services.archive.schema import SCHEMAS
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import JETSTREAM_STREAMS, Gap, GapReason, Reason, Reject, Stream
from testing.docs.data_dictionary.meanings import meaning_of
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


BEGIN, END = "<!-- columns: begin -->", "<!-- columns: end -->"
LONGEST = 60
HEAD = "| column | type | what it is | from | null means | example |\n|---|---|---|---|---|---|"
_COMMITS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
_TYPES = {pa.list_(pa.string()): "list of string", pa.timestamp("ms", tz="UTC"): "timestamp[ms, UTC]"}
START_US = 1_790_006_400_000_000
"""2026-09-21T16:00Z, the start of an hour."""
EVENTS, A_SECOND = 1440, 0.2
HOST = "wss://jetstream.example.org"
THREAD = 4
RARE = "app.bsky.feed.threadgate"
MINUTE_US = 60_000_000


def replaced(text: str, sample: Path) -> str:
    """Return DATA.md's text with new tables between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(sample)}\n{END}{after}"


def tables(sample: Path) -> str:
    """Return every table: columns of all event streams, of all commits, and of each stream alone."""
    shared = _shared(JETSTREAM_STREAMS)
    commits = [name for name in _shared(_COMMITS) if name not in shared]
    found = [
        _table("Every stream of events", Stream.LIKES, shared, sample),
        _table("Commits: " + ", ".join(f"`{stream}`" for stream in _COMMITS), Stream.LIKES, commits, sample),
    ]
    for stream in Stream:
        described = set(shared) if stream in JETSTREAM_STREAMS else set()
        described |= set(commits) if stream in _COMMITS else set()
        own = [name for name in SCHEMAS[stream].names if name not in described]
        also = ", beside those of commits" if stream in _COMMITS else ""
        also = also or (", beside those of every stream" if stream in JETSTREAM_STREAMS else "")
        found.append(_table(f"`{stream}`{also}", stream, own, sample))
    return "\n\n".join(found)


def example(value: Any) -> str:
    """Return a value as text of a table cell, shortened to LONGEST characters."""
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    elif isinstance(value, bytes):
        text = value.decode()
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "`" + " ".join(text.split()).replace("|", "\\|").replace("`", "'") + "`"


def _shared(streams: Iterable[Stream]) -> list[str]:
    """Return the columns that all of these streams share, in order."""
    first, *others = (SCHEMAS[stream] for stream in streams)
    return [field.name for field in first if all(field in list(other) for other in others)]


def _table(title: str, stream: Stream, columns: list[str], sample: Path) -> str:
    rows = ds.dataset(sample / "raw" / stream.value).to_table(columns=columns)
    lines = [f"### {title}\n", HEAD]
    for name in columns:
        field, meaning = SCHEMAS[stream].field(name), meaning_of(stream.value, name)
        kind = _TYPES.get(field.type, str(field.type)) + ("?" if field.nullable else "")
        value = next(value for value in rows[name].to_pylist() if value not in (None, "", []))
        cells = (f"`{name}`", kind, meaning.what, meaning.source, meaning.null, example(value))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def build(root: Path) -> Path:
    """Commit the sample archive at `root`, which must not exist; returns it."""
    root.mkdir(parents=True)
    by_stream: dict[Stream, list[bytes]] = defaultdict(list)
    for frame in _frames():
        by_stream[Stream(stream_of(frame))].append(frame)
    interval = (START_US + 70 * MINUTE_US, START_US + 85 * MINUTE_US)
    gap = Gap(*interval, GapReason.CURSOR_TOO_OLD, HOST, START_US)
    silent = Gap(START_US, START_US + MINUTE_US, GapReason.COLLECTION_SILENT, HOST, START_US, RARE)
    by_stream[Stream.GAPS] = [gap.encode(), silent.encode()]
    by_stream[Stream.REJECTS] = [Reject(Reason.NOT_JSON, b"not an event", HOST, START_US).encode()]
    # Without DID and kind the writer cannot encode it.
    by_stream[Stream.IDENTITIES].append(b'{"time_us":%d}' % START_US)
    origin = ChunkOrigin(writer_version="1", epoch="1", host=HOST)
    for stream, elements in by_stream.items():
        commit(root, encode(stream, elements, HOST), origin)
    return root


def _frames() -> Iterator[bytes]:
    """Yield the traffic of a v2 host, with a short thread and the record of a careless client added."""
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
            # The author writes the first and the last post of the thread.
            event["did"] = author if len(thread) == THREAD - 1 else event["did"]
            uri = f"at://{event['did']}/{commit['collection']}/{commit['rkey']}"
            thread.append({"uri": uri, "cid": commit["cid"]})
        elif record.get("$type") == "app.bsky.feed.like" and careless:
            record |= {"createdAt": "2026-09-21T16:00:02Z", "via": "feed"}
            careless = False
        yield json.dumps(event, ensure_ascii=False).encode()
