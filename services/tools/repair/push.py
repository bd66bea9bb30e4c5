"""Pushes events that a repair found while Redis has room; events of the ingester have priority."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from services.buffer.connection import Full
from services.buffer.push import RecentPush
from services.jetstream.backpressure import Backpressure
from services.jetstream.dedup import DedupWindow
from services.jetstream.metrics import IngesterMetrics

if TYPE_CHECKING:
    from services.buffer.operator_push import OperatorPusher
    from services.jetstream.pending import PendingPush
    from services.jetstream.settings import IngesterSettings
    from services.shared.cursor import Cursor
    from services.shared.lifecycle import Stopping

TICK_SECONDS = 0.5
FOR_EVER_SECONDS = 1e9
EVERY_IDENTITY = 1 << 40


class RepairPusher:
    """Pushes of one repair, and their counts."""

    def __init__(self, settings: IngesterSettings, pusher: OperatorPusher, stopping: Stopping) -> None:
        self._pusher = pusher
        self._stopping = stopping
        self.metrics = IngesterMetrics(CollectorRegistry())
        """Required by the ingester's classes; not exported."""
        self._backpressure = Backpressure(settings, self.metrics)
        self.counts: Counter[str] = Counter()
        """Sum of all pushes, as added to `archive:pushed`."""

    def push(self, pending: PendingPush, since: Cursor, dedup: DedupWindow) -> bool:
        """Push the events; return False when stopped before.

        Raises Transient when it is unknown whether they were pushed; the interval is to be read again then.
        """
        push = pending.build(since, "", Counter(), time.time_ns() // 1000)
        while not self._stopping:
            self._room()
            if self._stopping:
                break
            try:
                self._pusher.push(push.elements, push.counts)
            except Full as error:
                self._backpressure.refused(str(error))
            else:
                dedup.pushed(push.recent, 0)
                self.counts.update(push.counts)
                return True
        return False

    def _room(self) -> None:
        """Wait while the ingester would be paused for want of memory or disk."""
        self._backpressure.decide(self._pusher.memory())
        while self._backpressure.paused and not self._stopping.sleep(TICK_SECONDS):
            self._backpressure.decide(self._pusher.memory())


def dedup_window_of(known: set[bytes]) -> DedupWindow:
    """Move these identities out of the set into a dedup window that never evicts them."""
    dedup = DedupWindow(FOR_EVER_SECONDS, EVERY_IDENTITY)
    dedup.refill([RecentPush(0, tuple(known))])
    known.clear()
    return dedup
