"""Frames that have arrived and are not pushed yet: bounded, and already divided into pending pushes.

Frames are validated and added to a pending push as they arrive, while Redis is busy with an earlier push.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from services.jetstream.pending import PendingPush

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.jetstream.connection import ConnectionState
    from services.jetstream.dedup import DedupWindow
    from services.shared.event import Event, Reason

MAX_PENDING_PUSHES = 4
"""The inbox holds as much as so many full pushes; beyond that the socket is not read."""


class PushLimits(NamedTuple):
    """The most that one push carries; a single frame may be larger."""

    frames: int
    size: int
    """Bytes, as received."""


class Inbox:
    """Pending pushes, oldest first; bounded by frames and bytes, and always accepts one frame."""

    def __init__(
        self, limits: PushLimits, dedup: DedupWindow, validate: Callable[[bytes], Event | Reason]
    ) -> None:
        self._limits = limits
        self._dedup = dedup
        self._validate = validate
        self._pending: deque[PendingPush] = deque()
        self._is_taken = False
        self._frames = self._size = 0
        self._filled = asyncio.Event()
        self._dropped = asyncio.Event()

    def __len__(self) -> int:
        return self._frames

    @property
    def is_full(self) -> bool:
        """Whether to wait for `room` before the next frame."""
        return (
            self._frames >= MAX_PENDING_PUSHES * self._limits.frames
            or self._size >= MAX_PENDING_PUSHES * self._limits.size
        )

    @property
    def room_left(self) -> int:
        """How many frames may be put at once; at least 1."""
        return max(1, MAX_PENDING_PUSHES * self._limits.frames - self._frames)

    def put_all(self, connection: ConnectionState, frames: Sequence[bytes], at: float) -> None:
        """Validate frames that arrived together at monotonic second `at`, and add them to pending pushes."""
        now_us = time.time_ns() // 1000
        events = list(map(self._validate, frames))
        sizes = list(accumulate(map(len, frames), initial=0))
        start = 0
        while start < len(frames):
            pending = self._open(len(frames[start]))
            room, room_bytes = self._limits.frames - pending.frames, self._limits.size - pending.size
            limit = min(len(frames), start + room)
            end = max(start + 1, bisect_right(sizes, sizes[start] + room_bytes, start, limit + 1) - 1)
            pending.add(connection, frames[start:end], events[start:end], at, now_us)
            start = end
        connection.queued(len(frames))
        self._frames += len(frames)
        self._size += sizes[-1]
        self._filled.set()

    def complete_window(self, connection: ConnectionState) -> None:
        """Queue the removal of the connection's window from the cursor: all of it has arrived."""
        self._open(0).complete_window(connection)
        connection.queued(1)
        self._frames += 1
        self._filled.set()

    async def room(self, connection: ConnectionState) -> None:
        """Wait until there is room, or until the connection is to end."""
        while self.is_full and connection.disconnect_reason is None:
            self._dropped.clear()
            await self._dropped.wait()

    async def drained(self, connection: ConnectionState) -> None:
        """Wait until everything that this connection sent was pushed."""
        while connection.unpushed:
            self._dropped.clear()
            await self._dropped.wait()

    async def filled(self, seconds: float) -> None:
        """Wait until the inbox is not empty, at most `seconds`."""
        if not self._frames:
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), seconds)
            except TimeoutError:
                return

    def take(self) -> PendingPush:
        """Return the oldest pending push, an empty one if nothing arrived.

        It stays in the inbox until `drop`, and nothing more is added to it.
        """
        if not self._pending:
            self._pending.append(PendingPush(self._dedup))
        self._is_taken = True
        return self._pending[0]

    def drop(self) -> None:
        """Remove the pending push that `take` returned."""
        pending = self._pending.popleft()
        self._is_taken = False
        for connection, frames in pending.arrivals.items():
            connection.dequeued(frames)
            self._frames -= frames
        self._size -= pending.size
        self._dropped.set()

    def wake(self) -> None:
        """Wake every waiting task to check its condition again."""
        self._filled.set()
        self._dropped.set()

    def _open(self, size: int) -> PendingPush:
        """Return a pending push with room for a frame of `size` bytes."""
        is_open = len(self._pending) > (1 if self._is_taken else 0)
        if is_open:
            pending, limits = self._pending[-1], self._limits
            if pending.frames < limits.frames and (pending.size + size <= limits.size or not pending.frames):
                return pending
        self._pending.append(PendingPush(self._dedup))
        return self._pending[-1]
