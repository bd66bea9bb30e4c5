"""The ingester's side of the buffer: events, cursor, identities and counts in one conditional transaction.

The cursor is set after the events in the same MULTI, so it is never ahead of what is buffered. One push is in
flight at a time, and nothing is sent twice.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from services.buffer import server
from services.buffer.connection import Command, Connection, errors_among, reaction, refuse_partial
from services.buffer.keys import CURSOR, EPOCH, PUSHED, RECENT, buffer_key
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor, decode_cursor, decode_epoch
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping

IDENTITY_BYTES = 16
SLICE = 500


class RecentPush(NamedTuple):
    """One element of `archive:recent`: the identities of one push and its cursor's time."""

    time_us: int
    identities: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Form in Redis."""
        return struct.pack(">q", self.time_us) + b"".join(self.identities)


class ResumePoint(NamedTuple):
    """Where to resume: the stored cursor, and the most recent pushes."""

    cursor: Cursor
    recent: list[RecentPush]


class Push(NamedTuple):
    """The contents of one push."""

    elements: Mapping[Stream, Sequence[bytes]]
    cursor: Cursor
    recent: RecentPush
    evicted: int
    """The number of oldest pushes to remove from `archive:recent`."""
    evicted_by_size: int
    """How many of those are evicted before their time has passed."""
    counts: Mapping[str, int]
    """Additions to `archive:pushed`, by `<stream>:<count>`."""


class Pusher:
    """The ingester's connection; every method blocks and raises Transient when the connection fails."""

    def __init__(self, url: str, stopping: Stopping) -> None:
        self._connection = Connection(url, stopping)
        self._stored = b""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def reset(self) -> ResumePoint | None:
        """Open, fence and read where to resume; None while no writer has confirmed the cursor.

        After every restart of Redis a writer first compares the cursor with its checkpoints: resuming from
        a restored backup unnoticed would mix two histories.
        """
        self._connection.open()
        server.refuse_unsafe(self._connection)
        _, stored, epoch = self._connection.every(("WATCH", CURSOR), ("GET", CURSOR), ("GET", EPOCH))
        if stored is None or decode_epoch(epoch).run_id != self._connection.run_id:
            return None
        self._stored = stored
        return ResumePoint(decode_cursor(stored, CURSOR), self._recent())

    def push(self, batch: Push) -> None:
        """Push a batch, all or nothing.

        Raises Full when Redis is full (nothing changed; the same batch may be pushed again). Raises
        Transient when it is unknown whether the batch was stored, or another cursor was stored; the caller
        then drops the batch and calls `reset`.
        """
        mine = batch.cursor.encode()
        reach(CrashPoint.BUFFER_BEFORE_EXEC)
        replies = self._connection.ask(*_transaction(batch, mine), ("WATCH", CURSOR), ("GET", CURSOR))
        reach(CrashPoint.BUFFER_AFTER_EXEC)
        queued, (done, watched, stored) = replies[:-3], replies[-3:]
        errors = errors_among((*queued, done, watched, stored))
        if errors and stored == self._stored:
            raise reaction(errors[0])
        if errors or done is None or stored != mine:
            raise Transient("another cursor was stored; resuming from it")
        refuse_partial(done)
        self._stored = mine

    def memory(self) -> server.Memory:
        """Return how full Redis is."""
        return server.memory(self._connection)

    def _recent(self) -> list[RecentPush]:
        found: list[RecentPush] = []
        while True:
            (elements,) = self._connection.every(("LRANGE", RECENT, len(found), len(found) + SLICE - 1))
            found.extend(_recent_push(element) for element in elements)
            if len(elements) < SLICE:
                return found


def _transaction(batch: Push, cursor: bytes) -> list[Command]:
    commands: list[Command] = [("MULTI",)]
    commands += [
        ("RPUSH", buffer_key(stream), *elements) for stream, elements in batch.elements.items() if elements
    ]
    commands.append(("SET", CURSOR, cursor))
    if batch.recent.identities:
        commands.append(("RPUSH", RECENT, batch.recent.encode()))
    if batch.evicted:
        commands.append(("LTRIM", RECENT, batch.evicted, -1))
    commands += [("HINCRBY", PUSHED, field, count) for field, count in batch.counts.items() if count]
    commands.append(("EXEC",))
    return commands


def _recent_push(element: bytes) -> RecentPush:
    (time_us,) = struct.unpack_from(">q", element)
    starts = range(8, len(element), IDENTITY_BYTES)
    return RecentPush(time_us, tuple(element[at : at + IDENTITY_BYTES] for at in starts))
