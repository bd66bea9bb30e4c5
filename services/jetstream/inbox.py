"""What has arrived and is not yet pushed: bounded, in drafts of one push each.

Frames are validated and drafted as they come: while Redis is busy with a push, there is time for it.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from services.jetstream.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.source import Source
    from services.shared.event import Event, Reason

DRAFTS = 4
"""The inbox holds as much as so many pushes; beyond it the socket waits."""


class PushLimits(NamedTuple):
    """The most that one push carries; a single frame may be larger."""

    frames: int
    size: int
    """Bytes, as received."""


class Inbox:
    """Bounded by frames and bytes; one single frame is always let in."""

    def __init__(
        self, bounds: PushLimits, memory: DedupWindow, validate: Callable[[bytes], Event | Reason]
    ) -> None:
        self._bounds = bounds
        self._memory = memory
        self._validate = validate
        self._drafts: deque[Draft] = deque()
        self._is_taken = False
        self._frames = self._size = 0
        self._filled = asyncio.Event()
        self._dropped = asyncio.Event()

    def __len__(self) -> int:
        return self._frames

    @property
    def is_full(self) -> bool:
        """Whether to wait for `room` before the next frame."""
        return self._frames >= DRAFTS * self._bounds.frames or self._size >= DRAFTS * self._bounds.size

    @property
    def room_left(self) -> int:
        """Frames that may come together."""
        return max(1, DRAFTS * self._bounds.frames - self._frames)

    def put_all(self, source: Source, frames: Sequence[bytes], at: float) -> None:
        """Validate and draft frames that came together at the monotonic second `at`; all are let in."""
        now_us = time.time_ns() // 1000
        events = list(map(self._validate, frames))
        sizes = list(accumulate(map(len, frames), initial=0))
        start = 0
        while start < len(frames):
            draft = self._open(len(frames[start]))
            room, room_bytes = self._bounds.frames - draft.frames, self._bounds.size - draft.size
            most = min(len(frames), start + room)
            end = max(start + 1, bisect_right(sizes, sizes[start] + room_bytes, start, most + 1) - 1)
            draft.add(source, frames[start:end], events[start:end], at, now_us)
            start = end
        source.waiting += len(frames)
        self._frames += len(frames)
        self._size += sizes[-1]
        self._filled.set()

    def put_end(self, source: Source) -> None:
        """Note that all of a window, which was read once more, has come by this connection."""
        self._open(0).end(source)
        source.waiting += 1
        self._frames += 1
        self._filled.set()

    async def room(self, source: Source) -> None:
        """Wait until there is room, or until the source is to end."""
        while self.is_full and source.ending is None:
            self._dropped.clear()
            await self._dropped.wait()

    async def drained(self, source: Source) -> None:
        """Wait until everything that came by this connection was pushed."""
        while source.waiting:
            self._dropped.clear()
            await self._dropped.wait()

    async def filled(self, seconds: float) -> None:
        """Wait until there is something, at most so long."""
        if not self._frames:
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), seconds)
            except TimeoutError:
                return

    def take(self) -> Draft:
        """Return the oldest draft, an empty one if nothing came; it stays, and takes in nothing more."""
        if not self._drafts:
            self._drafts.append(Draft(self._memory))
        self._is_taken = True
        return self._drafts[0]

    def drop(self) -> None:
        """Remove the draft that was taken."""
        draft = self._drafts.popleft()
        self._is_taken = False
        for source, frames in draft.arrivals.items():
            source.waiting -= frames
            self._frames -= frames
        self._size -= draft.size
        self._dropped.set()

    def wake(self) -> None:
        """Wake every wait, to look again."""
        self._filled.set()
        self._dropped.set()

    def _open(self, size: int) -> Draft:
        """Return a draft with room for a frame of so many bytes."""
        is_open = len(self._drafts) > (1 if self._is_taken else 0)
        if is_open:
            draft, bounds = self._drafts[-1], self._bounds
            if draft.frames < bounds.frames and (draft.size + size <= bounds.size or not draft.frames):
                return draft
        self._drafts.append(Draft(self._memory))
        return self._drafts[-1]
