"""Where a part lives. Pure: the same chunk gets the same names, so that a retry overwrites itself.

A part is partitioned by the time that came with the event (`time_us`; for rejects and gaps `received_at`),
in UTC: never by `createdAt`, which a client chooses, and never by our own clock, which another attempt
would read anew. Nothing in a name depends on what encoding makes of the chunk.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOUR_US = 3_600_000_000
"""Microseconds of an hour. Hours are counted from 1970-01-01T00Z, as `time_us // HOUR_US`."""

MAX_TIME_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999: the last that has a directory."""

RAW = "raw"
"""The datasets, one a stream: every version and every deletion."""
COVERAGE = "coverage"
"""How complete every hour of every stream is; rebuildable."""
SNAPSHOTS = "snapshots"
"""What was cited, one folder a snapshot."""
STATE = ".state"
"""What is the program's own below the root, and no dataset."""

ARCHIVE_ID = f"{STATE}/id"
EPOCH = f"{STATE}/epoch"
CHECKPOINTS = f"{STATE}/checkpoints"
REMOVED = f"{STATE}/removed"
"""Hours that were removed as a whole, and what the ledger still accounts for."""
REWRITTEN = f"{STATE}/rewritten"
"""Hours that lost rows on purpose: how many, when and why."""
OFFLOADED = f"{STATE}/offloaded"
"""Objects in the bucket, by hour."""
DELETIONS = f"{STATE}/deletions"
"""Hours that the deletions policy has been applied to."""
QUARANTINE = f"{STATE}/quarantine"
"""Damaged and unknown files that `archive verify --quarantine` took out of the datasets."""
DEMO_MARK = f"{STATE}/demo"
"""Marks an archive of made-up events, and holds the settings of its daemons."""
COMPARISONS = f"{STATE}/compared"
"""What hours were compared with since they were compacted, where no duplicate was found."""
LOCKS = f"{STATE}/locks"
STAGING = f"{STATE}/staging"
"""Unfinished files."""
PREPARED = f"{STATE}/prepared"
"""Hours to be swapped in, each beside its manifest. They hold files under their final names."""
REPLACED = f"{STATE}/replaced"
"""Files that were swapped out, as `<name>.replaced`; kept for COMPACT_REPLACED_HOURS."""
SPILL = f"{STATE}/spill"
"""What DuckDB writes to disk when memory runs short."""
RUN = f"{STATE}/run"
"""Redis' data and the logs of an archive that is run without containers."""

POSITION = (ARCHIVE_ID, EPOCH, CHECKPOINTS)
"""Which archive this is, and up to where it is whole. A backup copies these before `raw`, or they promise
files that the copy lacks."""
NOTES = (REMOVED, REWRITTEN, OFFLOADED, DELETIONS, QUARANTINE, DEMO_MARK)
"""Durable notes on what is no longer in `raw`, or elsewhere. A backup copies these after `raw`, or an hour
removed meanwhile is lost after a restore."""
REBUILDABLE = (COMPARISONS,)
"""Derived from `raw`: losing it costs time, not data."""
SCRATCH = (LOCKS, STAGING, PREPARED, REPLACED, SPILL, RUN)
"""Of no use to another machine; a copy leaves these out."""

REPLACED_SUFFIX = ".replaced"
"""Of files that were swapped out, so that no reader's pattern takes them for data."""
QUARANTINED_SUFFIX = ".quarantined"

_ID_DIGITS = 24
_HASHED_AT_ONCE = 1024
"""Elements joined before hashing: a call for each costs as much as the hashing."""
_KEY_SLASHES = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPACTED = "compacted-"
_NAME = re.compile(rf"({_COMPACTED})?(-?\d+)-(-?\d+)-(\d+)-([0-9a-f]{{{_ID_DIGITS}}})\.parquet")
_HOUR = re.compile(r"year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=(\d\d)")


class PartName(NamedTuple):
    """What a file name of an hour says."""

    is_compacted: bool
    first_us: int
    """Of the whole chunk; of a compacted file, of its rows."""
    last_us: int
    rows: int
    """Elements of the chunk; of a compacted file, its rows."""
    id: str
    """The chunk's id; of a compacted file, an id of what it was made from."""


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
    return hour_directory(root, stream, hour) / chunk.name


def hour_directory(root: Path, stream: Stream, hour: int) -> Path:
    """Return the directory of a stream's hour, counted from 1970."""
    start = hour_start(hour)
    # strftime does not pad years below 1000 on every platform.
    year = f"year={start.year:04d}"
    return (
        stream_root(root, stream)
        / f"{year}/month={start.month:02d}/day={start.day:02d}/hour={start.hour:02d}"
    )


def part_key(stream: Stream, hour: int, name: str) -> str:
    """Return where a file of an hour lies below the root; in a bucket its key below the prefix."""
    return (hour_directory(Path(), stream, hour) / name).as_posix()


def parse_part_key(key: str) -> tuple[Stream, int, PartName] | None:
    """Read a path that `part_key` made; None for every other path."""
    raw, stream, *directories, file = Path(key).parts if key.count("/") == _KEY_SLASHES else ("", "", "")
    hour, name = hour_of(Path(*directories)), parse_name(file)
    if raw != RAW or stream not in tuple(Stream) or hour is None or name is None:
        return None
    return Stream(stream), hour, name


def hour_of(directory: Path) -> int | None:
    """Return the hour, counted from 1970, whose directory this is; None where it is none."""
    found = _HOUR.fullmatch("/".join(directory.parts[-4:]))
    if found is None:
        return None
    try:
        start = datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    return (start - _EPOCH) // timedelta(hours=1)


def hour_start(hour: int) -> datetime:
    """Return the UTC time at which an hour, counted from 1970, begins."""
    return _EPOCH + timedelta(hours=hour)


def hour_text(hour: int) -> str:
    """Return an hour as people and file names write it: 2026-07-04T14."""
    start = hour_start(hour)
    return f"{start.year:04d}-{start.month:02d}-{start.day:02d}T{start.hour:02d}"


def hour_of_text(text: str) -> int:
    """Return the hour that `hour_text` wrote so. Raises ValueError."""
    return (datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC) - _EPOCH) // timedelta(hours=1)


def parse_name(name: str) -> PartName | None:
    """Read a file name of an hour; None where it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    mark, first_us, last_us, count, identity = found.groups()
    return PartName(mark is not None, int(first_us), int(last_us), int(count), identity)


def compacted_name(first_us: int, last_us: int, rows: int, identity: str) -> str:
    """Return the name of a compacted file; `identity` is a hash of its inputs (`inputs_id`)."""
    return f"{_COMPACTED}{first_us:016d}-{last_us:016d}-{rows}-{identity}.parquet"


def inputs_id(*words: str) -> str:
    """Return 24 hex digits that stand for exactly these words, in this order."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{len(word)}:{word}".encode())
    return digest.hexdigest()[:_ID_DIGITS]


def staging_path(root: Path, stream: Stream, hour: int, chunk: Chunk) -> Path:
    """Return where that part is written first: under the *chunk's* stream, whose owner sweeps it."""
    return staging_root(root, chunk.stream) / f"{stream.value}-{hour}-{chunk.id}.tmp"


def parts_pattern(chunk_id: str) -> str:
    """Return the glob, below a stream's root, of every part that bears this chunk's id.

    Never of a compacted file: a chunk that is committed again must not take away what others became.
    """
    return f"year=*/month=*/day=*/hour=*/[-0-9]*-{chunk_id}.parquet"


def stream_root(root: Path, stream: Stream) -> Path:
    """Return the root of a stream's dataset."""
    return root / RAW / stream.value


def staging_root(root: Path, stream: Stream) -> Path:
    """Return the directory of a stream's unfinished parts."""
    return root / STAGING / stream.value


def prepared_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the directory that is to take the place of an hour's."""
    return root / PREPARED / stream.value / hour_text(hour)


def manifest_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the file that says what is to take the place of what."""
    return root / PREPARED / stream.value / f"{hour_text(hour)}.json"


def replaced_path(root: Path, stream: Stream, hour: int, identity: str) -> Path:
    """Return where the files of an hour go when others took their place."""
    return root / REPLACED / stream.value / f"{hour_text(hour)}-{identity}"


def removed_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the file that keeps account of what was taken out of an hour for good."""
    return root / REMOVED / stream.value / f"{hour_text(hour)}.json"


def rewritten_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the file that tells of rows that an hour lost on purpose."""
    return root / REWRITTEN / stream.value / f"{hour_text(hour)}.json"


def checkpoint_path(root: Path, stream: Stream) -> Path:
    """Return the file that says up to where a stream is committed."""
    return root / CHECKPOINTS / f"{stream.value}.json"


def archive_id_path(root: Path) -> Path:
    """Return the file that holds the archive's id."""
    return root / ARCHIVE_ID


def refuse_old_layout(root: Path) -> None:
    """Raise BrokenInvariant for a root with the layout of a version that was never released."""
    if (root / ".archive-id").exists():
        raise BrokenInvariant(
            f"{root} has the layout of an unreleased version (datasets beside each other, .archive-id); "
            "set ARCHIVE_ROOT to an empty folder and start a new archive, with an empty Redis"
        )


def epoch_path(root: Path) -> Path:
    """Return the file that holds the highest epoch ever begun."""
    return root / EPOCH


def lock_path(root: Path, stream: Stream) -> Path:
    """Return the file whose flock makes a writer the stream's owner."""
    return root / LOCKS / stream.value
