"""The identities pushed of late: what drops the repeats of a rewind. The same as `archive:recent`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.shared.buffer.push import Remembered


class Aged(NamedTuple):
    """Elements at the old end to forget; `capped` of them only for want of room."""

    elements: int
    capped: int


class IdentityMemory:
    """Identities by push, oldest first; bounded by event time and by number."""

    def __init__(self, seconds: float, most: int) -> None:
        self._window_us = int(seconds * 1e6)
        self._most = most
        self._pushes: deque[Remembered] = deque()
        self._identities: set[bytes] = set()

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._identities

    def __len__(self) -> int:
        return len(self._identities)

    def refill(self, pushes: Iterable[Remembered]) -> None:
        """Forget everything, then remember these: what Redis holds is what counts."""
        self._pushes = deque(pushes)
        self._identities = {identity for push in self._pushes for identity in push.identities}

    def aged(self, time_us: int, adding: int) -> Aged:
        """Say what a push at cursor time `time_us` with `adding` identities lets go; changes nothing."""
        elements = capped = 0
        size = len(self._identities) + adding
        for push in self._pushes:
            old = push.time_us < time_us - self._window_us
            if not old and size <= self._most:
                break
            capped += not old
            elements += 1
            size -= len(push.identities)
        return Aged(elements, capped)

    def pushed(self, push: Remembered, forgotten: int) -> None:
        """Follow a push that succeeded."""
        for _ in range(forgotten):
            self._identities.difference_update(self._pushes.popleft().identities)
        if push.identities:
            self._pushes.append(push)
            self._identities.update(push.identities)
