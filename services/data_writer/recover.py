"""Before the first claim, and whenever Redis stands differently: id, checkpoints, cursor, epoch.

An ingester never begins by itself; it waits for the cursor that is set here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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
from services.data_writer.epoch import (
    Beginning,
    beginning,
    checkpoints_lost,
    is_partly_initialized,
    start_cursor,
)
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from services.buffer.claims import Claims, StoredPosition
    from services.data_writer.settings import WriterSettings
    from services.shared.event import Gap

MINUTE_US = 60_000_000
log = structlog.get_logger()


def recover(settings: WriterSettings, claims: Claims) -> tuple[Gap, ...]:
    """Make Redis and archive agree on who they are and where to go on; returns the gaps noted by that.

    Raises BrokenInvariant when they do not belong together, Transient when either cannot be asked now.
    """
    here = claims.position()
    mine = archive_id(settings.archive_root, here.archive_id)
    if here.archive_id is None:
        claims.register(mine)
    if here.is_confirmed:
        return ()
    begun = _beginning(settings, here)
    if begun is None:
        claims.confirm(here.epoch)
        reach(CrashPoint.RECOVER_CONFIRMED)
        return ()
    for stream in begun.lowered:
        write_checkpoint(settings.archive_root, stream, begun.cursor.encode())
        reach(CrashPoint.RECOVER_CHECKPOINT_LOWERED)
    gaps = [gap.element() for gap in begun.gaps]
    note_epoch(settings.archive_root, begun.cursor.epoch)
    reach(CrashPoint.RECOVER_EPOCH_NOTED)
    if not claims.begin_epoch(here.raw, begun.cursor, mine, gaps):
        return ()
    reach(CrashPoint.RECOVER_EPOCH_BEGUN)
    for gap in begun.gaps:
        log.warning("recover.gap", reason=gap.reason, from_us=gap.from_us, to_us=gap.to_us)
    log.warning("recover.epoch", epoch=begun.cursor.epoch, time_us=begun.cursor.time_us, why=begun.why)
    return begun.gaps


def _beginning(settings: WriterSettings, here: StoredPosition) -> Beginning | None:
    root, now_us = settings.archive_root, time.time_ns() // 1000
    checkpoints = read_checkpoints(root)
    if not checkpoints:
        if here.cursor is not None:
            return None
        committed_us = _committed_us(root)
        if committed_us is not None:
            floor_us = now_us - int(settings.archive_look_back_hours * 3600e6)
            cursor, gap = checkpoints_lost(committed_us, floor_us, now_us)
            return Beginning(cursor, (gap,), "the archive has parts but no checkpoints")
        start_us = settings.archive_start or now_us - MINUTE_US
        create_checkpoints(root, Stream, start_cursor(start_us).encode())
        checkpoints = read_checkpoints(root)
    elif is_partly_initialized(checkpoints):
        create_checkpoints(root, Stream, min(checkpoints.values(), key=Cursor.age).encode())
        checkpoints = read_checkpoints(root)
    return beginning(here.cursor, checkpoints, used_epoch(root), now_us)


def _committed_us(root: Path) -> int | None:
    """Return the newest time in the names of all parts, or None when there are none."""
    paths = (path for stream in Stream for path in stream_root(root, stream).rglob("*.parquet"))
    names = (parse_name(path.name) for path in paths)
    return max((name.last_us for name in names if name), default=None)
