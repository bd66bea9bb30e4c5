"""Names and paths of everything below the archive's root. Pure: the same chunk always gets the same names.

A part lies in the UTC hour of its rows' time (`time_us`; for rejects and gaps `received_at`): not of
`createdAt`, which a client chooses, nor of the writer's clock, which differs when a commit is repeated. No
name depends on the result of encoding, so a repeated commit overwrites its own files.
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
"""The last microsecond of the year 9999, the last year with a directory."""

RAW = "raw"
"""The datasets, one for each stream, with every version of a record and every deletion."""
COVERAGE = "coverage"
"""The coverage table: how complete every hour of every stream is. Rebuildable, except for removed hours."""
SNAPSHOTS = "snapshots"
"""Snapshots: files and hashes that were cited."""
STATE = ".state"
"""Files of the programs themselves; readers skip hidden folders."""

ARCHIVE_ID = f"{STATE}/id"
EPOCH = f"{STATE}/epoch"
CHECKPOINTS = f"{STATE}/checkpoints"
REMOVED = f"{STATE}/removed"
"""Notes on hours that were removed as a whole, for which the ledger still accounts."""
REWRITTEN = f"{STATE}/rewritten"
"""Notes on hours that were rewritten without some rows: how many, when and why."""
OFFLOADED = f"{STATE}/offloaded"
"""Objects in the bucket, by hour."""
DELETIONS = f"{STATE}/deletions"
"""Hours that the deletions policy has been applied to."""
QUARANTINE = f"{STATE}/quarantine"
"""Damaged and unknown files that `archive verify --quarantine` took out of the datasets."""
DEMO_MARK = f"{STATE}/demo"
"""Marks an archive of made-up events, and holds the settings of its daemons."""
COMPARISONS = f"{STATE}/compared"
"""Chunks that compacted hours were compared with later, without finding a duplicate."""
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
"""The archive's id, and up to where its streams are committed. A backup copies these before `raw`: otherwise
they would name a position beyond the copied files."""
NOTES = (REMOVED, REWRITTEN, OFFLOADED, DELETIONS, QUARANTINE, DEMO_MARK)
"""Durable notes on rows that left `raw`. A backup copies these after `raw`: otherwise an hour that is removed
meanwhile would be in neither."""
REBUILDABLE = (COMPARISONS,)
"""Derived from `raw`: losing it costs time, not data."""
SCRATCH = (LOCKS, STAGING, PREPARED, REPLACED, SPILL, RUN)
"""Of no use on another machine; a backup leaves these out."""

REPLACED_SUFFIX = ".replaced"
"""Suffix of replaced files, so that no pattern for Parquet files matches them."""
QUARANTINED_SUFFIX = ".quarantined"

_ID_DIGITS = 24
_HASHED_AT_ONCE = 1024
"""Events joined before hashing: one call for each event costs as much as the hashing."""
_KEY_SLASHES = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPACTED = "compacted-"
_NAME = re.compile(rf"({_COMPACTED})?(-?\d+)-(-?\d+)-(\d+)-([0-9a-f]{{{_ID_DIGITS}}})\.parquet")
_HOUR = re.compile(r"year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=(\d\d)")


class PartName(NamedTuple):
    """The values in the name of a part or of a compacted file."""

    is_compacted: bool
    first_us: int
    """Least time of the whole chunk; of a compacted file, of its rows."""
    last_us: int
    rows: int
    """Events of the chunk; of a compacted file, its rows."""
    id: str
    """The chunk's id; of a compacted file, the id of its inputs."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The events that one commit makes durable: the values that name their parts."""

    stream: Stream
    first_us: int
    """Least readable time of the events; 0 without one."""
    last_us: int
    count: int
    """Events, whether or not they can be encoded."""
    id: str
    """`chunk_id` of the events."""

    @property
    def name(self) -> str:
        """File name of every part of the chunk; its parts lie in different directories."""
        return f"{self.first_us:016d}-{self.last_us:016d}-{self.count}-{self.id}.parquet"


def chunk_of(stream: Stream, events: Sequence[bytes], times: Iterable[int | None]) -> Chunk:
    """Return the chunk of these events; `times` are in Unix microseconds, None where unreadable."""
    known = [time_us for time_us in times if time_us is not None] or [0]
    return Chunk(stream, min(known), max(known), len(events), chunk_id(stream, events))


def chunk_id(stream: Stream, events: Sequence[bytes]) -> str:
    """Return 24 hex digits of a hash of the stream and its events, in order."""
    digest = hashlib.sha256(stream.value.encode().ljust(16))
    # The lengths too: otherwise moving a byte from one event to the next would not change the hash.
    digest.update(struct.pack(f"<{len(events)}Q", *map(len, events)))
    for start in range(0, len(events), _HASHED_AT_ONCE):
        digest.update(b"".join(events[start : start + _HASHED_AT_ONCE]))
    return digest.hexdigest()[:_ID_DIGITS]


def part_path(root: Path, stream: Stream, hour: int, chunk: Chunk) -> Path:
    """Return the path of the chunk's part of a stream and an hour, counted from 1970."""
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
    """Return the path of an hour's file relative to the root; also its key in a bucket, below the prefix."""
    return (hour_directory(Path(), stream, hour) / name).as_posix()


def parse_part_key(key: str) -> tuple[Stream, int, PartName] | None:
    """Parse a path that `part_key` returned; return None for every other path."""
    raw, stream, *directories, file = Path(key).parts if key.count("/") == _KEY_SLASHES else ("", "", "")
    hour, name = hour_of(Path(*directories)), parse_name(file)
    if raw != RAW or stream not in tuple(Stream) or hour is None or name is None:
        return None
    return Stream(stream), hour, name


def hour_of(directory: Path) -> int | None:
    """Return the hour of a directory, counted from 1970; None for every other directory."""
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
    """Return an hour, counted from 1970, as text: 2026-07-04T14."""
    start = hour_start(hour)
    return f"{start.year:04d}-{start.month:02d}-{start.day:02d}T{start.hour:02d}"


def hour_of_text(text: str) -> int:
    """Return the hour of a text that `hour_text` returned. Raises ValueError."""
    return (datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC) - _EPOCH) // timedelta(hours=1)


def parse_name(name: str) -> PartName | None:
    """Parse the name of a part or of a compacted file; return None for every other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    mark, first_us, last_us, count, identity = found.groups()
    return PartName(mark is not None, int(first_us), int(last_us), int(count), identity)


def compacted_name(first_us: int, last_us: int, rows: int, identity: str) -> str:
    """Return the name of a compacted file; `identity` is its `inputs_id`."""
    return f"{_COMPACTED}{first_us:016d}-{last_us:016d}-{rows}-{identity}.parquet"


def inputs_id(*words: str) -> str:
    """Return 24 hex digits of a hash of these words, in order."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{len(word)}:{word}".encode())
    return digest.hexdigest()[:_ID_DIGITS]


def staging_path(root: Path, stream: Stream, hour: int, chunk: Chunk) -> Path:
    """Return where a part is written first: below the chunk's stream, whose owner sweeps it after a kill."""
    return staging_root(root, chunk.stream) / f"{stream.value}-{hour}-{chunk.id}.tmp"


def parts_pattern(chunk_id: str) -> str:
    """Return the glob, below a stream's root, of every part of a chunk.

    It matches no compacted file: a chunk that is committed again must not remove the rows of other chunks.
    """
    return f"year=*/month=*/day=*/hour=*/[-0-9]*-{chunk_id}.parquet"


def stream_root(root: Path, stream: Stream) -> Path:
    """Return the root of a stream's dataset."""
    return root / RAW / stream.value


def staging_root(root: Path, stream: Stream) -> Path:
    """Return the directory of a stream's staged parts."""
    return root / STAGING / stream.value


def prepared_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the directory of the prepared files of an hour."""
    return root / PREPARED / stream.value / hour_text(hour)


def manifest_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the swap manifest of an hour."""
    return root / PREPARED / stream.value / f"{hour_text(hour)}.json"


def replaced_path(root: Path, stream: Stream, hour: int, identity: str) -> Path:
    """Return the directory of the files of an hour that a swap replaced; `identity` is the manifest's."""
    return root / REPLACED / stream.value / f"{hour_text(hour)}-{identity}"


def removed_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the note on the removals of an hour."""
    return root / REMOVED / stream.value / f"{hour_text(hour)}.json"


def rewritten_path(root: Path, stream: Stream, hour: int) -> Path:
    """Return the note on the rewrites of an hour."""
    return root / REWRITTEN / stream.value / f"{hour_text(hour)}.json"


def checkpoint_path(root: Path, stream: Stream) -> Path:
    """Return the checkpoint file of a stream."""
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
    """Return the file that holds the highest epoch that was ever started."""
    return root / EPOCH


def lock_path(root: Path, stream: Stream) -> Path:
    """Return the file whose lock makes a writer the owner of a stream."""
    return root / LOCKS / stream.value
