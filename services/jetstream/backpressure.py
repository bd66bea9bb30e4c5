"""BACKPRESSURE: when to stop receiving, and when to resume.

Jetstream keeps events for a day, Redis has room for minutes to hours. When Redis or a watched disk is nearly
full, the ingester closes its connections and keeps the cursor. No event is lost if it resumes within the
look-back.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.shared.errors import Transient

if TYPE_CHECKING:
    from services.buffer.server import Memory
    from services.jetstream.metrics import IngesterMetrics
    from services.jetstream.settings import IngesterSettings

POLL_SECONDS = 1.0
WARN_SHARE = 0.65
log = structlog.get_logger()


class Room(NamedTuple):
    """The share of maxmemory in use, and the free MB of the fullest watched disk (None: none watched)."""

    memory_share: float
    free_mb: float | None


class PauseLimits(NamedTuple):
    """Pause above `pause_share` or below `free_mb`; resume below `resume_share` and above twice `free_mb`."""

    pause_share: float
    resume_share: float
    free_mb: int


def why_paused(room: Room, limits: PauseLimits, *, paused: bool) -> str | None:
    """Return the reason to be paused now, or None. Once paused, the resume limits apply."""
    share = limits.resume_share if paused else limits.pause_share
    free_mb = limits.free_mb * (2 if paused else 1)
    if room.memory_share > share:
        return f"Redis holds {room.memory_share:.0%} of maxmemory, more than {share:.0%}"
    if room.free_mb is not None and room.free_mb < free_mb:
        return f"a watched disk has {room.free_mb:.0f} MB free, less than {free_mb}"
    return None


def free_mb(folders: tuple[str, ...]) -> float | None:
    """Return the free MB of the fullest watched disk; raises Transient for a folder that is missing."""
    try:
        return min((shutil.disk_usage(folder).free / 1e6 for folder in folders), default=None)
    except OSError as error:
        raise Transient(f"INGEST_WATCH_DISKS: {error}") from error


class Backpressure:
    """Whether the ingester is paused; decided from the room measured once a second."""

    def __init__(self, settings: IngesterSettings, metrics: IngesterMetrics) -> None:
        self._disks = settings.ingest_watch_disks
        self._limits = PauseLimits(
            settings.ingest_pause_percent / 100,
            settings.ingest_resume_percent / 100,
            settings.archive_disk_free_min_mb,
        )
        self._metrics = metrics
        self._measured_at = float("-inf")
        self._warned = False
        self.why: str | None = None
        """The reason to be paused, or None."""

    @property
    def paused(self) -> bool:
        """Whether the ingester must not receive now."""
        return self.why is not None

    def is_due(self, now: float) -> bool:
        """Whether the room must be measured again at monotonic second `now`; then the next second begins."""
        due = now - self._measured_at >= POLL_SECONDS
        if due:
            self._measured_at = now
        return due

    def decide(self, memory: Memory) -> bool:
        """Pause or resume according to the room; return whether that is a change."""
        room = Room(memory.share(), free_mb(self._disks))
        self._metrics.memory_share.set(room.memory_share)
        if room.memory_share > WARN_SHARE and not self._warned:
            log.warning(
                "buffer.filling", share=round(room.memory_share, 3), pauses_at=self._limits.pause_share
            )
        self._warned = room.memory_share > WARN_SHARE
        return self._change(why_paused(room, self._limits, paused=self.paused))

    def refused(self, why: str) -> None:
        """Pause because Redis refused a push: its memory is full."""
        self._change(why)

    def _change(self, why: str | None) -> bool:
        changed = (why is None) != (self.why is None)
        if changed and why is not None:
            log.warning("receive.paused", why=why)
        elif changed:
            log.warning("receive.resumed", was=self.why)
        self.why = why
        self._metrics.paused.set(why is not None)
        return changed
