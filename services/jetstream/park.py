"""Pure: when to stop receiving, and when to come back.

Jetstream keeps a day, Redis minutes to hours: so when the buffer or a disk is nearly full the socket is
closed on purpose, the cursor kept, and nothing is lost as long as we are back within the look-back.
"""

from __future__ import annotations

import shutil
from typing import NamedTuple

from services.shared.errors import Transient

WARN_SHARE = 0.65


class Room(NamedTuple):
    """The share of maxmemory in use, and the free MB of the scarcest watched disk (None: none watched)."""

    memory_share: float
    free_mb: float | None


class Limits(NamedTuple):
    """Park above `park_share` or below `free_mb`; come back below `return_share`, above twice `free_mb`."""

    park_share: float
    return_share: float
    free_mb: int


def why_parked(room: Room, limits: Limits, *, parked: bool) -> str | None:
    """Return why to be parked now, or None; what was parked stays so until there is clearly room."""
    share = limits.return_share if parked else limits.park_share
    free_mb = limits.free_mb * (2 if parked else 1)
    if room.memory_share > share:
        return f"Redis holds {room.memory_share:.0%} of maxmemory, more than {share:.0%}"
    if room.free_mb is not None and room.free_mb < free_mb:
        return f"a watched disk has {room.free_mb:.0f} MB free, less than {free_mb}"
    return None


def free_mb(folders: tuple[str, ...]) -> float | None:
    """Measure the scarcest disk; raises Transient for a folder that is not there now."""
    try:
        return min((shutil.disk_usage(folder).free / 1e6 for folder in folders), default=None)
    except OSError as error:
        raise Transient(f"INGEST_WATCH_DISKS: {error}") from error
