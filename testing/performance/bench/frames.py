"""The events of a run, generated or from a file: as a file, in Redis' lists, and on the v2 wire."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import redis

from services.buffer.keys import PUSHED, buffer_key
from services.shared.event import JETSTREAM_STREAMS, Stream
from testing.demo.source import Generated
from testing.performance.bench.child import SECONDS
from testing.proof.audit.canonical import identity, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from testing.demo.source import Source


RATE = 500.0
"""Events per second of event time, as in the network."""
PUSH_EVENTS = 5000
NSID = "network.bsky.jetstream.subscribeEvents"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Frames:
    """A file of distinct events, one JSON line each, in the order of arrival."""

    path: Path
    events: int
    size: int
    """Bytes of JSON, without line ends."""
    start_us: int
    """Start of an archive of these events, in Unix microseconds."""
    description: str

    @cached_property
    def by_stream(self) -> dict[Stream, list[bytes]]:
        """The events of each non-empty stream, in order."""
        found: dict[Stream, list[bytes]] = defaultdict(list)
        for stream, frame in self:
            found[stream].append(frame)
        return dict(found)

    def __iter__(self) -> Iterator[tuple[Stream, bytes]]:
        """Yield every event with its stream."""
        names = self.path.with_suffix(".streams").read_bytes()
        with self.path.open("rb") as file:
            for name, line in zip(names, file, strict=True):
                yield JETSTREAM_STREAMS[name], line[:-1]

    def split(self, folder: Path) -> int:
        """Write `<stream>.ndjson` for each stream into an existing folder; returns the number of events."""
        with contextlib.ExitStack() as files:
            of_stream: dict[Stream, IO[bytes]] = {
                stream: files.enter_context((folder / f"{stream}.ndjson").open("wb"))
                for stream in JETSTREAM_STREAMS
            }
            for stream, frame in self:
                of_stream[stream].write(frame + b"\n")
        return self.events


def make_frames(folder: Path, source: Source, first_us: int | None = None) -> Frames:
    """Write the source's events into `folder`, without rejects and repeats.

    Generated events end now, or begin at `first_us`.
    """
    begins_us = first_us or int((time.time() - source.events / RATE) * 1_000_000)
    path = folder / "frames.jsonl"
    seen: set[tuple[str, ...]] = set()
    streams, order = bytearray(), [stream.value for stream in JETSTREAM_STREAMS]
    size, oldest_us = 0, 1 << 62
    with path.open("wb") as file:
        for name, frame in source.truth(begins_us):
            if name == Stream.REJECTS:
                continue
            if not isinstance(source, Generated):
                event = parse(frame)
                known = tuple(map(str, identity(event)))
                if known in seen:
                    continue
                seen.add(known)
                oldest_us = min(oldest_us, event["time_us"])
            file.write(frame + b"\n")
            streams.append(order.index(name))
            size += len(frame)
    path.with_suffix(".streams").write_bytes(streams)
    start_us = begins_us if isinstance(source, Generated) else max(10**15 + 1_000_000, oldest_us)
    return Frames(path, len(streams), size, start_us - 1_000_000, str(source))


def hidden_key(stream: Stream) -> str:
    """Return a key that no writer reads, to be renamed once the writer has started."""
    return f"hidden:{stream}"


def fill(
    url: str, events: Iterable[tuple[Stream, bytes]], key_of: Callable[[Stream], str] = buffer_key
) -> int:
    """Push events and count them, as the ingester does; returns their number."""
    done: Counter[str] = Counter()
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=SECONDS)) as server:
        remaining = iter(events)
        while push := list(islice(remaining, PUSH_EVENTS)):
            lists: dict[Stream, list[bytes]] = {}
            for stream, event in push:
                lists.setdefault(stream, []).append(event)
            with server.pipeline(transaction=True) as transaction:
                for stream, found in lists.items():
                    transaction.rpush(key_of(stream), *found)
                    transaction.hincrby(PUSHED, f"{stream}:pushed", len(found))
                    done[stream] += len(found)
                transaction.execute()
    return done.total()


def v2_frame(frame: bytes, seq: int) -> bytes:
    """Return an event of the v1 wire in the form of the v2 wire (`subscribeEvents`), with number `seq`."""
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
    """Write a file of frames in the v2 form, if it does not exist; returns it.

    Events whose record is no map are left out: PyPI's `atproto` client fails at the first.
    """
    if not target.exists():
        with frames.open("rb") as lines, target.open("wb") as file:
            for seq, line in enumerate(lines, 1):
                if isinstance(json.loads(line).get("commit", {}).get("record", {}), dict):
                    file.write(v2_frame(line, seq) + b"\n")
    return target
