"""Parks and comes back: asks how much room there is, once a second, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from services.jetstream.park import WARN_SHARE, Limits, Room, free_mb, why_parked

if TYPE_CHECKING:
    from services.buffer.server import Memory
    from services.jetstream.metrics import IngesterMetrics
    from services.jetstream.settings import IngesterSettings

LOOK_SECONDS = 1.0
log = structlog.get_logger()


class Parking:
    """Whether we are parked, and why."""

    def __init__(self, settings: IngesterSettings, metrics: IngesterMetrics) -> None:
        self._disks = settings.ingest_watch_disks
        self._limits = Limits(
            settings.ingest_park_percent / 100,
            settings.ingest_return_percent / 100,
            settings.archive_disk_free_min_mb,
        )
        self._metrics = metrics
        self._looked = float("-inf")
        self._warned = False
        self.why: str | None = None

    @property
    def parked(self) -> bool:
        """Whether to receive nothing now."""
        return self.why is not None

    def is_due(self, now: float) -> bool:
        """Whether to look again at monotonic second `now`."""
        due = now - self._looked >= LOOK_SECONDS
        if due:
            self._looked = now
        return due

    def decide(self, memory: Memory) -> bool:
        """Park or come back; returns whether that changed."""
        room = Room(memory.share(), free_mb(self._disks))
        self._metrics.memory_share.set(room.memory_share)
        if room.memory_share > WARN_SHARE and not self._warned:
            log.warning("buffer.filling", share=round(room.memory_share, 3), parks_at=self._limits.park_share)
        self._warned = room.memory_share > WARN_SHARE
        return self._change(why_parked(room, self._limits, parked=self.parked))

    def refused(self, why: str) -> None:
        """Park because Redis refused a push."""
        self._change(why)

    def _change(self, why: str | None) -> bool:
        changed = (why is None) != (self.why is None)
        if changed and why is not None:
            log.warning("park", why=why)
        elif changed:
            log.warning("park.over", was=self.why)
        self.why = why
        self._metrics.parked.set(why is not None)
        return changed
