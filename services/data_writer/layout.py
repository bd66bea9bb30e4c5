"""Where a part lives. Pure: the same chunk gets the same names, so that a retry overwrites itself.

A part is partitioned by the time that came with the event (`time_us`; for rejects and gaps `received_at`),
in UTC: never by `createdAt`, which a client chooses, and never by our own clock, which another attempt
would read anew. Nothing in a name depends on what encoding makes of the chunk.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from services.shared.event import Stream

HOUR_US = 3_600_000_000
"""Microseconds of an hour. Hours are counted from 1970-01-01T00Z, as `time_us // HOUR_US`."""

MAX_TIME_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999: the last that has a directory."""

STAGING = ".staging"
"""Beside the streams, never inside one: no reader's pattern for a stream reaches it."""

_ID_DIGITS = 24
_HASHED_AT_ONCE = 1024
"""Elements joined before hashing: a call for each costs as much as the hashing."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The elements that one commit makes durable, by what names their parts."""

    stream: Stream
    first_us: int
    """Least time among the elements that have one; 0 when none has."""
    last_us: int
    count: int
    """Elements, whether or not they can be encoded."""
    id: str
    """`chunk_id` of the elements."""

    @property
    def name(self) -> str:
        """File name of each of the chunk's parts; the directory tells them apart."""
        return f"{self.first_us:016d}-{self.last_us:016d}-{self.count}-{self.id}.parquet"


def chunk_of(stream: Stream, elements: Sequence[bytes], times: Iterable[int | None]) -> Chunk:
    """Return the chunk of these elements; `times` are theirs in Unix microseconds, None where unreadable."""
    known = [time_us for time_us in times if time_us is not None] or [0]
    return Chunk(stream, min(known), max(known), len(elements), chunk_id(stream, elements))


def chunk_id(stream: Stream, elements: Sequence[bytes]) -> str:
    """Return 24 hex digits that stand for exactly these elements, in this order, of this stream."""
    digest = hashlib.sha256(stream.value.encode().ljust(16))
    # Lengths first: without them, moving a byte from one element to the next would not show.
    digest.update(struct.pack(f"<{len(elements)}Q", *map(len, elements)))
    for start in range(0, len(elements), _HASHED_AT_ONCE):
        digest.update(b"".join(elements[start : start + _HASHED_AT_ONCE]))
    return digest.hexdigest()[:_ID_DIGITS]


def part_path(root: Path, stream: Stream, hour: int, chunk: Chunk) -> Path:
    """Return where the chunk's share of this stream and hour (counted from 1970) belongs."""
    return hour_path(root, stream, hour) / chunk.name


def hour_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the directory of this stream and hour (counted from 1970)."""
    start = _EPOCH + timedelta(hours=hour)
    # strftime does not pad years below 1000 on every platform.
    year = f"year={start.year:04d}"
    directory = f"{year}/month={start.month:02d}/day={start.day:02d}/hour={start.hour:02d}"
    return stream_root(root, stream) / directory


def staging_path(root: Path, stream: Stream, hour: int, chunk: Chunk) -> Path:
    """Return where that part is written first: under the *chunk's* stream, whose owner sweeps it."""
    return staging_root(root, chunk.stream) / f"{stream.value}-{hour}-{chunk.id}.tmp"


def parts_pattern(chunk_id: str) -> str:
    """Return the glob, below a stream's root, of every part that bears this chunk's id."""
    return f"year=*/month=*/day=*/hour=*/*-{chunk_id}.parquet"


def stream_root(root: Path, stream: Stream) -> Path:
    """Return the root of a stream's dataset."""
    return root / stream.value


def staging_root(root: Path, stream: Stream) -> Path:
    """Return the directory of a stream's unfinished parts."""
    return root / STAGING / stream.value


def frontier_path(root: Path, stream: Stream) -> Path:
    """Return the file that says up to where a stream is committed."""
    return root / ".frontier" / f"{stream.value}.json"


def archive_id_path(root: Path) -> Path:
    """Return the file that holds the archive's id."""
    return root / ".archive-id"


def lock_path(root: Path, stream: Stream) -> Path:
    """Return the file whose flock makes a writer the stream's owner."""
    return root / ".lock" / stream.value
