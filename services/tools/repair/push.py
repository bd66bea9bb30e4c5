"""Pushes what a repair found, when there is room: the ingester's events go first."""

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


class Pushing:
    """One repair's pushes and their counts."""

    def __init__(self, settings: IngesterSettings, pusher: OperatorPusher, stopping: Stopping) -> None:
        self._pusher = pusher
        self._stopping = stopping
        self.metrics = IngesterMetrics(CollectorRegistry())
        """Of this process alone; nobody asks for them."""
        self._backpressure = Backpressure(settings, self.metrics)
        self.counts: Counter[str] = Counter()
        """Of all pushes, as they are added to `archive:pushed`."""

    def push(self, pending: PendingPush, since: Cursor, dedup: DedupWindow) -> bool:
        """Push it; return False when stopped before. Raises Transient when Redis must be read again."""
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
        """Wait while the ingester would be paused."""
        self._backpressure.decide(self._pusher.memory())
        while self._backpressure.paused and not self._stopping.sleep(TICK_SECONDS):
            self._backpressure.decide(self._pusher.memory())


def remembering(known: set[bytes]) -> DedupWindow:
    """Return a window of these identities, which never evicts any; empties the set."""
    dedup = DedupWindow(FOR_EVER_SECONDS, EVERY_IDENTITY)
    dedup.refill([RecentPush(0, tuple(known))])
    known.clear()
    return dedup
