"""Generated events, committed like a writer does: every five minutes of event time, by stream."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.archive.checkpoints import create_checkpoints
from services.archive.paths import HOUR_US
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_US = 1_790_000_000_000_000 // (24 * HOUR_US) * (24 * HOUR_US)
"""The start of a day."""
INTERVAL_US = 300_000_000
CHUNK = 100_000
HOST = "jetstream.lake"


@dataclass(frozen=True)
class Lake:
    """An archive to make: `events` spread over `hours`, generated from the seed."""

    root: Path
    events: int
    hours: float
    seed: int = 1

    @property
    def traffic(self) -> Traffic:
        """Return its events."""
        return Traffic(self.seed, FIRST_US, self.events / (self.hours * 3600), self.events)

    @property
    def rounds(self) -> int:
        """Return the number of a writer's rounds."""
        return int(-(-self.hours * HOUR_US // INTERVAL_US))


def make(lake: Lake, jobs: int) -> Iterator[int]:
    """Make the archive; yields the bytes of JSON of each round. Its directory must exist and be empty."""
    cursor = Cursor(time_us=FIRST_US, epoch=1, push=0, host=HOST)
    started = Gap(0, FIRST_US, GapReason.ARCHIVE_START, HOST, FIRST_US)
    commit(lake.root, encode(Stream.GAPS, [started.encode()]), _origin(cursor))
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_round, [lake] * lake.rounds, range(lake.rounds))
    # Checkpoints after the last hour, so that every hour is closed.
    over = Cursor(time_us=FIRST_US + int((lake.hours + 2) * HOUR_US), epoch=1, push=lake.rounds, host=HOST)
    create_checkpoints(lake.root, Stream, over.encode())


def _round(lake: Lake, number: int) -> int:
    traffic, view = lake.traffic, HostView()
    start_us = FIRST_US + number * INTERVAL_US
    lists: dict[str, list[bytes]] = defaultdict(list)
    for i in range(traffic.index_at(start_us), traffic.index_at(start_us + INTERVAL_US)):
        frame = traffic.frame_at(i, view, traffic.seen_us(i, view))
        lists[stream_of(frame)].append(frame)
    origin = _origin(Cursor(time_us=start_us, epoch=1, push=number + 1, host=HOST))
    for stream, frames in lists.items():
        for at in range(0, len(frames), CHUNK):
            commit(lake.root, encode(Stream(stream), frames[at : at + CHUNK], HOST), origin)
    return sum(len(frame) for frames in lists.values() for frame in frames)


def _origin(cursor: Cursor) -> ChunkOrigin:
    return ChunkOrigin(epoch="1", host=HOST, last_cursor=cursor.encode().decode())
