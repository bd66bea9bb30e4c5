"""Identities of recently pushed events, which find the repeats after a rewind; a copy of `archive:recent`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.buffer.push import RecentPush


class Evictable(NamedTuple):
    """The number of oldest pushes to evict; `by_size` of them before their time has passed."""

    pushes: int
    by_size: int


class DedupWindow:
    """Identities by push, oldest first; bounded by event time and by number."""

    def __init__(self, seconds: float, max_events: int) -> None:
        self._window_us = int(seconds * 1e6)
        self._max_events = max_events
        self._pushes: deque[RecentPush] = deque()
        self._size = 0
        self.known: set[bytes] = set()
        """Identities of recent and of pending pushes. A pending push adds its own; if it fails, `refill`
        replaces them all."""

    def __len__(self) -> int:
        """Return the number of identities that were pushed."""
        return self._size

    def refill(self, pushes: Iterable[RecentPush]) -> None:
        """Replace everything by these pushes, which Redis holds."""
        self._pushes = deque(pushes)
        self.known = {identity for push in self._pushes for identity in push.identities}
        self._size = len(self.known)

    def to_evict(self, time_us: int, adding: int) -> Evictable:
        """Return what a push of `adding` identities at cursor time `time_us` evicts; changes nothing."""
        pushes = by_size = 0
        size = self._size + adding
        for push in self._pushes:
            is_old = push.time_us < time_us - self._window_us
            if not is_old and size <= self._max_events:
                break
            by_size += not is_old
            pushes += 1
            size -= len(push.identities)
        return Evictable(pushes, by_size)

    def pushed(self, push: RecentPush, evicted: int) -> None:
        """Add a push that succeeded, and evict that many of the oldest."""
        for _ in range(evicted):
            old = self._pushes.popleft().identities
            self.known.difference_update(old)
            self._size -= len(old)
        if push.identities:
            self._pushes.append(push)
            self._size += len(push.identities)
