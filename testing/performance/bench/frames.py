"""The events of a run, the same for all contestants: generated from a seed, or of a file of real ones."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING

from services.shared.event import Stream
from testing.demo.source import Generated
from testing.harness.pipeline import JETSTREAM
from testing.proof.audit.canonical import identity, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.demo.source import Source

RATE = 500.0
"""Events a second of event time: the network's."""


@dataclass(frozen=True)
class Frames:
    """JSON lines in the order of arrival, each a different event."""

    path: Path
    events: int
    size: int
    """Bytes of JSON, line ends left out."""
    start_us: int
    """Where an archive of them begins."""
    told: str
    """What they are, in words."""

    @cached_property
    def by_stream(self) -> dict[Stream, list[bytes]]:
        """The events of each stream that has any, in order."""
        found: dict[Stream, list[bytes]] = defaultdict(list)
        for stream, frame in self:
            found[stream].append(frame)
        return dict(found)

    def __iter__(self) -> Iterator[tuple[Stream, bytes]]:
        """Yield every event with its stream."""
        names = self.path.with_suffix(".streams").read_bytes()
        with self.path.open("rb") as file:
            for name, line in zip(names, file, strict=True):
                yield JETSTREAM[name], line[:-1]

    def split(self, folder: Path) -> int:
        """Write `<stream>.ndjson` for each stream into an existing folder; returns how many events."""
        with contextlib.ExitStack() as files:
            of_stream: dict[Stream, IO[bytes]] = {
                stream: files.enter_context((folder / f"{stream}.ndjson").open("wb")) for stream in JETSTREAM
            }
            for stream, frame in self:
                of_stream[stream].write(frame + b"\n")
        return self.events


def make_frames(folder: Path, source: Source, first_us: int | None = None) -> Frames:
    """Write the source's events into `folder`; what is no event, or there twice, is left out.

    Generated ones end now, unless `first_us` says where they begin.
    """
    begins_us = first_us or int((time.time() - source.events / RATE) * 1_000_000)
    path = folder / "frames.jsonl"
    seen: set[tuple[str, ...]] = set()
    streams, order = bytearray(), [stream.value for stream in JETSTREAM]
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
