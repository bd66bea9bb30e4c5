"""The identities pushed of late: what drops the repeats of a rewind. The same as `archive:recent`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.buffer.push import RecentPush


class Aged(NamedTuple):
    """Elements at the old end to forget; `evicted_by_size` of them only for want of room."""

    elements: int
    evicted_by_size: int


class DedupWindow:
    """Identities by push, oldest first; bounded by event time and by number."""

    def __init__(self, seconds: float, most: int) -> None:
        self._window_us = int(seconds * 1e6)
        self._most = most
        self._pushes: deque[RecentPush] = deque()
        self._size = 0
        self.known: set[bytes] = set()
        """Of what was pushed of late, and of what is drafted: a draft adds its own, and should its push fail,
        all is filled again."""

    def __len__(self) -> int:
        """Return how many were pushed of late."""
        return self._size

    def refill(self, pushes: Iterable[RecentPush]) -> None:
        """Forget everything, then remember these: what Redis holds is what counts."""
        self._pushes = deque(pushes)
        self.known = {identity for push in self._pushes for identity in push.identities}
        self._size = len(self.known)

    def aged(self, time_us: int, adding: int) -> Aged:
        """Say what a push at cursor time `time_us` with `adding` identities lets go; changes nothing."""
        elements = evicted_by_size = 0
        size = self._size + adding
        for push in self._pushes:
            old = push.time_us < time_us - self._window_us
            if not old and size <= self._most:
                break
            evicted_by_size += not old
            elements += 1
            size -= len(push.identities)
        return Aged(elements, evicted_by_size)

    def pushed(self, push: RecentPush, forgotten: int) -> None:
        """Follow a push that succeeded; what it brought is known since it was drafted."""
        for _ in range(forgotten):
            old = self._pushes.popleft().identities
            self.known.difference_update(old)
            self._size -= len(old)
        if push.identities:
            self._pushes.append(push)
            self._size += len(push.identities)
