"""What has arrived and is not yet pushed: a bounded queue of frames, each with the connection it came by.

Frames are validated as they come: while Redis is busy with a push, there is time for it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.jetstream.cutover import CutoverWatch
    from services.jetstream.metrics import Reconnect
    from services.jetstream.resume import Overlap, Plan
    from services.shared.buffer.cursor import Window
    from services.shared.event import Event, Reason


@dataclass(slots=True, eq=False)
class Source:
    """One connection to a host, and what is known of it."""

    plan: Plan
    overlap: Overlap
    cutover: CutoverWatch
    window: Window | None = None
    """Set on a connection that only reads this window once more; it never moves the cursor."""
    close: Callable[[], None] = lambda: None
    """Ends the connection; set once there is one."""
    ending: Reconnect | None = None
    since_us: int | None = None
    """Event time that the reason speaks of (see `hosts`)."""
    dead: bool = False
    """What it sent must not be used."""
    last_at: float = field(default=0.0)
    """Monotonic second of the last frame, or of the connection's making."""
    received: bool = False
    """Any frame came."""
    read_through: bool = False
    """The window was read to its end."""
    waiting: int = 0
    """Arrivals of it in the inbox."""
    progress: bool = False
    """Something new came by it and was pushed."""

    def end(self, reason: Reconnect, *, dead: bool = False, since_us: int | None = None) -> None:
        """Ask for the end of the connection; the first reason, and what it says of the next, stay."""
        if self.ending is None:
            self.ending, self.since_us = reason, since_us
        self.dead = self.dead or dead
        self.close()


# gc=False: tens of thousands wait at a time, none can be part of a reference cycle, and the collector would
# walk them again and again.
class Arrival(msgspec.Struct, gc=False, frozen=True):
    """A frame (None: the end of a window read once more), and the monotonic second of its receipt."""

    source: Source
    frame: bytes | None
    at: float
    event: Event | Reason | None
    """What validation made of the frame."""


class Inbox:
    """Bounded by frames and bytes; one single frame is always let in."""

    def __init__(
        self, most_frames: int, most_bytes: int, validate: Callable[[bytes], Event | Reason]
    ) -> None:
        self._validate = validate
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._arrivals: deque[Arrival] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._arrivals)

    @property
    def is_full(self) -> bool:
        """Whether to wait for `room` before the next frame."""
        return len(self._arrivals) >= self._most_frames or self._bytes >= self._most_bytes

    @property
    def room_left(self) -> int:
        """Frames that may come together."""
        return max(1, self._most_frames - len(self._arrivals))

    def put(self, arrival: Arrival) -> None:
        """Add an arrival."""
        self._arrivals.append(arrival)
        arrival.source.waiting += 1
        self._bytes += len(arrival.frame or b"")
        self._filled.set()

    def put_all(self, source: Source, frames: Sequence[bytes], at: float) -> None:
        """Validate and add frames that came together; all are let in."""
        self._arrivals.extend([Arrival(source, frame, at, self._validate(frame)) for frame in frames])
        source.waiting += len(frames)
        self._bytes += sum(map(len, frames))
        self._filled.set()

    async def room(self, source: Source) -> None:
        """Wait until there is room, or until the source is to end."""
        while self.is_full and source.ending is None:
            self._taken.clear()
            await self._taken.wait()

    async def drained(self, source: Source) -> None:
        """Wait until everything that came by this connection was pushed."""
        while source.waiting:
            self._taken.clear()
            await self._taken.wait()

    async def filled(self, seconds: float) -> None:
        """Wait until there is something, at most so long."""
        if not self._arrivals:
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), seconds)
            except TimeoutError:
                return

    def peek(self, most_frames: int, most_bytes: int) -> list[Arrival]:
        """Return the oldest arrivals up to these bounds, at least one if there is any; they stay."""
        chosen = list(islice(self._arrivals, most_frames))
        sizes = accumulate(len(arrival.frame or b"") for arrival in chosen)
        fitting = bisect_right(list(sizes), most_bytes)
        return chosen[: max(1, fitting)]

    def drop(self, count: int) -> None:
        """Remove the oldest `count` arrivals."""
        for source, some in groupby(islice(self._arrivals, count), attrgetter("source")):
            sizes = [len(arrival.frame or b"") for arrival in some]
            source.waiting -= len(sizes)
            self._bytes -= sum(sizes)
        for _ in range(count):
            self._arrivals.popleft()
        self._taken.set()

    def wake(self) -> None:
        """Wake every wait, to look again."""
        self._filled.set()
        self._taken.set()
