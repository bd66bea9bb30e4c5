"""Recovery, before the first claim and after every restart of Redis: archive id, checkpoints, cursor, epoch.

An epoch is the life of one state of Redis' data. It ends when the volume is lost (no cursor) or a backup is
restored (a cursor older than the checkpoints); the events since are read again from Jetstream. An ingester
never starts an epoch: it waits for the cursor that is set here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from services.archive.checkpoints import (
    create_checkpoints,
    note_epoch,
    read_checkpoints,
    used_epoch,
    write_checkpoint,
)
from services.archive.locks import archive_id
from services.archive.paths import parse_name, stream_root
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.buffer.claims import Claims, StoredPosition
    from services.data_writer.settings import WriterSettings

BEFORE_START = 0
"""The epoch of checkpoints that no Redis has stored yet."""
MINUTE_US = 60_000_000
log = structlog.get_logger()


class EpochStart(NamedTuple):
    """How a new epoch starts."""

    cursor: Cursor
    gaps: tuple[Gap, ...]
    why: str
    lowered: tuple[Stream, ...] = ()
    """Streams whose checkpoints are beyond the cursor and must be set back to it. The events between are
    committed, but they are read again, and push numbers of two histories cannot be compared."""


def recover(settings: WriterSettings, claims: Claims) -> tuple[Gap, ...]:
    """Make Redis and archive agree on the archive's id and the cursor; return the gaps noted meanwhile.

    Raises BrokenInvariant if they belong to different archives, Transient if either cannot be read now.
    """
    position = claims.position()
    own_id = archive_id(settings.archive_root, position.archive_id)
    if position.archive_id is None:
        claims.register(own_id)
    if position.is_confirmed:
        return ()
    start = _epoch_start(settings, position)
    if start is None:
        claims.confirm(position.epoch)
        reach(CrashPoint.RECOVER_CONFIRMED)
        return ()
    for stream in start.lowered:
        write_checkpoint(settings.archive_root, stream, start.cursor.encode())
        reach(CrashPoint.RECOVER_CHECKPOINT_LOWERED)
    gaps = [gap.encode() for gap in start.gaps]
    note_epoch(settings.archive_root, start.cursor.epoch)
    reach(CrashPoint.RECOVER_EPOCH_NOTED)
    if not claims.begin_epoch(position.raw, start.cursor, own_id, gaps):
        return ()
    reach(CrashPoint.RECOVER_EPOCH_BEGUN)
    for gap in start.gaps:
        log.warning("recover.gap", reason=gap.reason, from_us=gap.from_us, to_us=gap.to_us)
    log.warning("recover.epoch", epoch=start.cursor.epoch, time_us=start.cursor.time_us, why=start.why)
    return start.gaps


def _epoch_start(settings: WriterSettings, position: StoredPosition) -> EpochStart | None:
    root, now_us = settings.archive_root, time.time_ns() // 1000
    checkpoints = read_checkpoints(root)
    if not checkpoints:
        if position.cursor is not None:
            return None
        committed_us = _committed_us(root)
        if committed_us is not None:
            floor_us = now_us - int(settings.archive_look_back_hours * 3600e6)
            cursor, gap = checkpoints_lost(committed_us, floor_us, now_us)
            return EpochStart(cursor, (gap,), "the archive has parts but no checkpoints")
        start_us = settings.archive_start or now_us - MINUTE_US
        create_checkpoints(root, Stream, start_cursor(start_us).encode())
        checkpoints = read_checkpoints(root)
    elif is_partly_initialized(checkpoints):
        create_checkpoints(root, Stream, min(checkpoints.values(), key=Cursor.age).encode())
        checkpoints = read_checkpoints(root)
    return next_epoch(position.cursor, checkpoints, used_epoch(root), now_us)


def _committed_us(root: Path) -> int | None:
    """Return the newest time in the names of all parts; None without parts."""
    paths = (path for stream in Stream for path in stream_root(root, stream).rglob("*.parquet"))
    names = (parse_name(path.name) for path in paths)
    return max((name.last_us for name in names if name), default=None)


def start_cursor(start_us: int) -> Cursor:
    """Return the first checkpoint of a new archive that starts at this time."""
    return Cursor(time_us=start_us, epoch=BEFORE_START, push=0)


def is_partly_initialized(checkpoints: Mapping[Stream, Cursor]) -> bool:
    """Return whether the creation of an archive was interrupted: some streams have no first checkpoint."""
    return len(checkpoints) < len(Stream) and all(one.epoch == BEFORE_START for one in checkpoints.values())


def next_epoch(
    stored: Cursor | None, checkpoints: Mapping[Stream, Cursor], used: int, now_us: int
) -> EpochStart | None:
    """Return the start of a new epoch, or None if the stored cursor is valid.

    `used` is the highest epoch ever begun; a new one is above it. It starts at the oldest checkpoint, also
    if a cursor is stored: a cursor of another history may be older and yet further on, and a checkpoint set
    to it would claim that events are committed which only the restored buffers hold.
    """
    newest = max(checkpoints.values(), key=Cursor.age)
    oldest = min(checkpoints.values(), key=Cursor.age)
    # `used` above the stored epoch: an epoch was noted but not begun (Redis was full, or the writer died).
    if stored is not None and stored.age() >= newest.age() and stored.epoch >= used:
        return None
    push = max(stored or newest, newest, key=Cursor.age).push
    cursor = msgspec.structs.replace(oldest, epoch=max(used, newest.epoch) + 1, push=push)
    if stored is not None:
        why = "Redis holds an older cursor than the archive: a backup was restored"
        return EpochStart(cursor, (), why, _beyond(checkpoints, oldest))
    if oldest.epoch == BEFORE_START:
        gap = Gap(0, oldest.time_us, GapReason.ARCHIVE_START, "", now_us)
        # If Redis was lost in its first round, the checkpoints of some streams have moved already.
        return EpochStart(cursor, (gap,), "a new archive begins", _beyond(checkpoints, oldest))
    return EpochStart(cursor, (), "Redis is empty: its volume was lost", _beyond(checkpoints, oldest))


def _beyond(checkpoints: Mapping[Stream, Cursor], cursor: Cursor) -> tuple[Stream, ...]:
    return tuple(stream for stream, checkpoint in checkpoints.items() if checkpoint.age() > cursor.age())


def checkpoints_lost(committed_us: int, floor_us: int, now_us: int) -> tuple[Cursor, Gap]:
    """Return cursor and gap for an archive that has parts up to `committed_us` but no checkpoints.

    `floor_us` is the start of Jetstream's look-back. The epoch must be above that of every part; the Unix
    time in seconds is.
    """
    cursor = Cursor(time_us=floor_us, epoch=now_us // 1_000_000, push=0)
    return cursor, Gap(min(committed_us, floor_us), floor_us, GapReason.CHECKPOINTS_LOST, "", now_us)
