"""Pure: whether Redis stands where the archive says it should, and if not, from where to go on.

An epoch is one life of Redis' data. It ends when the volume is lost (no cursor) or a backup is restored
(a cursor older than the checkpoints); events between are read again from Jetstream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

BEFORE_START = 0
"""The epoch of checkpoints that no Redis has seen yet."""


class Beginning(NamedTuple):
    """How a new epoch begins."""

    cursor: Cursor
    gaps: tuple[Gap, ...]
    why: str
    lowered: tuple[Stream, ...] = ()
    """Streams whose checkpoints lie beyond the cursor: they must be set back to it. What lies between is
    committed, but Redis reads it again, and push numbers of two histories cannot be compared."""


def start_cursor(start_us: int) -> Cursor:
    """Return the checkpoint of a new archive: everything from here on is to be kept."""
    return Cursor(time_us=start_us, epoch=BEFORE_START, push=0)


def is_partly_initialized(checkpoints: Mapping[Stream, Cursor]) -> bool:
    """Whether an archive's start was interrupted: some stream has no checkpoint yet to resume from."""
    return len(checkpoints) < len(Stream) and all(one.epoch == BEFORE_START for one in checkpoints.values())


def beginning(
    stored: Cursor | None, checkpoints: Mapping[Stream, Cursor], used: int, now_us: int
) -> Beginning | None:
    """Return the beginning of a new epoch, or None when the stored cursor is to be believed.

    `used` is the highest epoch ever begun: a new one is above it. It begins at the oldest checkpoint, also
    where a cursor is stored: an older age does not make a cursor of another history lie further back, and a
    checkpoint set to it might say that events are committed that only the restored buffers hold.
    """
    newest = max(checkpoints.values(), key=Cursor.age)
    oldest = min(checkpoints.values(), key=Cursor.age)
    # An epoch that was noted and not begun (Redis was full then, or we died) is still owed.
    if stored is not None and stored.age() >= newest.age() and stored.epoch >= used:
        return None
    push = max(stored or newest, newest, key=Cursor.age).push
    cursor = msgspec.structs.replace(oldest, epoch=max(used, newest.epoch) + 1, push=push)
    if stored is not None:
        why = "Redis holds an older cursor than the archive: a backup was restored"
        return Beginning(cursor, (), why, _beyond(checkpoints, oldest))
    if oldest.epoch == BEFORE_START:
        gap = Gap(0, oldest.time_us, GapReason.ARCHIVE_START, "", now_us)
        # Also where Redis was lost in its first round: some streams' checkpoints have moved already then.
        return Beginning(cursor, (gap,), "a new archive begins", _beyond(checkpoints, oldest))
    return Beginning(cursor, (), "Redis is empty: its volume was lost", _beyond(checkpoints, oldest))


def _beyond(checkpoints: Mapping[Stream, Cursor], cursor: Cursor) -> tuple[Stream, ...]:
    return tuple(stream for stream, checkpoint in checkpoints.items() if checkpoint.age() > cursor.age())


def checkpoints_lost(committed_us: int, floor_us: int, now_us: int) -> tuple[Cursor, Gap]:
    """Return cursor and gap for an archive that has parts up to `committed_us` but no checkpoints.

    `floor_us` is how far Jetstream goes back. The epoch must be above any that the parts know of; the
    clock's seconds are.
    """
    cursor = Cursor(time_us=floor_us, epoch=now_us // 1_000_000, push=0)
    return cursor, Gap(min(committed_us, floor_us), floor_us, GapReason.CHECKPOINTS_LOST, "", now_us)
