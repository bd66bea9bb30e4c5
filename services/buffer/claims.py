"""The writer's side of the buffer: claim a stream's list, read it in chunks, and ack what was committed.

Claiming, reading and acking use only commands that Redis executes when its memory is full (RENAMENX, LRANGE,
LTRIM; never LMOVE or SET), so that a full buffer can always be emptied.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from redis import exceptions

from services.buffer import server
from services.buffer.connection import Command, Connection, reaction
from services.buffer.keys import (
    ARCHIVE_ID,
    CLAIM_PATTERN,
    CURSOR,
    EPOCH,
    PUSHED,
    buffer_key,
    claim_key,
)
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor, Epoch, decode_cursor, decode_epoch
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.shared.lifecycle import Stopping

SCAN_COUNT = 1000
FIRST_SLICE = 64
SLICE = 4096
"""Elements requested at a time, about as many as are encoded at a time; fewer while they are large."""
SLICE_BYTES = 4 << 20
"""Target size of a slice, computed from the size of the elements before it."""
BYTES_PER_EVENT = 768
"""A chunk ends after C events or C times this many bytes, which bounds memory for large events too. Both
limits follow from the C in the claim's name, so a restart with other settings cuts the same chunks."""


class Claim(NamedTuple):
    """A list that the writer took out of the buffer."""

    stream: Stream
    chunk: int
    """Most events in one chunk."""

    @property
    def key(self) -> str:
        """Name in Redis."""
        return claim_key(self.stream, self.chunk)


class StoredPosition(NamedTuple):
    """The stored cursor and its bytes, the epoch and the archive's id; None and 0 in an empty Redis."""

    cursor: Cursor | None
    raw: bytes | None
    epoch: int
    archive_id: str | None
    is_confirmed: bool
    """A writer has confirmed the cursor since this server started."""


class Tally(NamedTuple):
    """One stream's counts at one moment: the epoch, the events pushed in it, and those in the buffer."""

    epoch: int
    pushed: int
    waiting: int


class Claims:
    """One writer's connection; every method blocks and raises Transient when the connection fails."""

    def __init__(self, url: str, stopping: Stopping) -> None:
        self._connection = Connection(url, stopping)

    def open(self, *, fence: bool = True) -> None:
        """Open, and refuse a server that may lose what is buffered. Without the fence: to read only."""
        self._connection.open(fence=fence)
        server.refuse_unsafe(self._connection)

    def close(self) -> None:
        """Close the connection; claims stay in Redis."""
        self._connection.close()

    def position(self) -> StoredPosition:
        """Read the ingester's position."""
        raw = self._connection.one("GET", CURSOR)
        epoch = decode_epoch(self._connection.one("GET", EPOCH))
        archive_id = self._connection.one("GET", ARCHIVE_ID)
        return StoredPosition(
            None if raw is None else decode_cursor(raw, CURSOR),
            raw,
            epoch.number,
            None if archive_id is None else archive_id.decode(),
            raw is not None and epoch.run_id == self._connection.run_id,
        )

    def depths(self, streams: Iterable[Stream]) -> dict[Stream, int]:
        """Return the number of events in each buffer."""
        wanted = list(streams)
        replies = self._connection.every(*[("LLEN", buffer_key(stream)) for stream in wanted])
        return dict(zip(wanted, replies, strict=True))

    def find(self, stream: Stream) -> list[Claim]:
        """Return the existing claims of a stream."""
        return find_claims(self._connection, stream)

    def take(self, stream: Stream, chunk: int) -> Claim | None:
        """Claim the whole buffer; None when it is empty."""
        claim = Claim(stream, chunk)
        (reply,) = self._connection.ask(("RENAMENX", buffer_key(stream), claim.key))
        if isinstance(reply, exceptions.ResponseError):
            if "no such key" in str(reply):
                return None
            raise reaction(reply)
        if reply == 0:
            raise Transient(f"{claim.key} exists already; listing the claims again")
        return claim

    @contextlib.contextmanager
    def read(self, claim: Claim, chunks: int) -> Iterator[ClaimReader]:
        """Watch a claim and read its first chunks, `chunks` at most; it can be acked after the block."""
        self._connection.one("WATCH", claim.key)
        reader = ClaimReader(self._connection, claim, chunks)
        try:
            yield reader
        finally:
            reader.end()
        if not reader.count:
            # UNWATCH, or the next claim's ack would abort: RENAMENX creates this very key.
            self._connection.one("UNWATCH")

    def ack(self, claim: Claim, count: int) -> None:
        """Remove the first `count` events of a claim, unless it changed since it was read.

        Raises Transient when it changed, or when the reply is lost; the caller then lists the claims again.
        """
        replies = self._connection.every(("MULTI",), ("LTRIM", claim.key, count, -1), ("EXEC",))
        if replies[-1] is None:
            raise Transient(f"{claim.key} changed while it was committed; listing the claims again")

    def register(self, archive_id: str) -> None:
        """Store the archive's id in a Redis that has none."""
        self._connection.one("SET", ARCHIVE_ID, archive_id, "NX")

    def confirm(self, epoch: int) -> None:
        """Confirm the cursor for as long as this server runs, so that an ingester may resume from it."""
        self._connection.one("SET", EPOCH, Epoch(epoch, self._connection.run_id).encode())

    def begin_epoch(
        self, before: bytes | None, cursor: Cursor, archive_id: str, gaps: Iterable[bytes]
    ) -> bool:
        """Set the cursor of a new epoch and push its gap rows; False when the cursor is no longer `before`.

        The counts begin anew: the epoch starts with what the lists hold now as pushed.
        """
        rows = list(gaps)
        self._connection.one("WATCH", CURSOR)
        if self._connection.one("GET", CURSOR) != before:
            self._connection.one("UNWATCH")
            return False
        held = {stream: self._held(stream) for stream in Stream}
        held[Stream.GAPS] += len(rows)
        counts: list[str | int] = [
            part for stream, count in held.items() for part in (f"{stream}:pushed", count)
        ]
        push: list[Command] = [("RPUSH", buffer_key(Stream.GAPS), *rows)] if rows else []
        commands: list[Command] = [
            ("MULTI",),
            *push,
            ("SET", EPOCH, Epoch(cursor.epoch, self._connection.run_id).encode()),
            ("SET", ARCHIVE_ID, archive_id),
            ("UNLINK", PUSHED),
            ("HSET", PUSHED, *counts),
            ("SET", CURSOR, cursor.encode()),
            ("EXEC",),
        ]
        replies = self._connection.every(*commands)
        return replies[-1] is not None

    def length(self, claim: Claim) -> int:
        """Return the number of events left in a claim."""
        return int(self._connection.one("LLEN", claim.key))

    def tally(self, stream: Stream) -> Tally:
        """Read a stream's counts, all of the same moment. Ends every WATCH, as any EXEC does."""
        replies = self._connection.every(
            ("MULTI",),
            ("GET", EPOCH),
            ("HGET", PUSHED, f"{stream}:pushed"),
            ("LLEN", buffer_key(stream)),
            ("EXEC",),
        )
        epoch, pushed, waiting = replies[-1]
        return Tally(decode_epoch(epoch).number, int(pushed or 0), int(waiting))

    def sample(self, stream: Stream, limit: int) -> list[bytes]:
        """Return the oldest events of a buffer without removing them, `limit` at most."""
        return list(self._connection.one("LRANGE", buffer_key(stream), 0, limit - 1))

    def _held(self, stream: Stream) -> int:
        waiting = int(self._connection.one("LLEN", buffer_key(stream)))
        return waiting + sum(self.length(claim) for claim in self.find(stream))


class ClaimReader:
    """Reads a claim from its head, chunk after chunk; until `end` the connection serves nothing else.

    Redis prepares the next slice while the caller works on this one: the lists are compressed, so most of the
    cost of LRANGE is the server's. Only one slice is requested at a time, as soon as the one before has
    arrived: while more commands of a client are queued, the server sends its replies in small pieces.
    """

    def __init__(self, connection: Connection, claim: Claim, chunks: int) -> None:
        self._connection = connection
        self._key = claim.key
        self._chunk = claim.chunk
        self._limit = claim.chunk * chunks
        self._requested = 0
        self._outstanding = 0
        """Elements requested by the LRANGE that has no reply yet."""
        self._slice = FIRST_SLICE
        self._left: list[bytes] = []
        self.count = 0
        """Elements returned so far."""
        self._request()

    def next_chunk(self) -> Iterator[Sequence[bytes]]:
        """Yield the next chunk's elements in order, slice by slice; nothing at the end of the claim.

        Raises Transient when the connection fails, and the reaction to an error reply.
        """
        room, budget = self._chunk, self._chunk * BYTES_PER_EVENT
        while room and budget > 0:
            some = self._left or self._receive()
            if not some:
                break
            fitting = _fitting(some, room, budget)
            some, self._left = some[:fitting], some[fitting:]
            room -= fitting
            budget -= sum(map(len, some))
            self.count += fitting
            yield some
        if room < self._chunk:
            reach(CrashPoint.CLAIM_READ)

    def end(self) -> None:
        """Receive the outstanding reply, so that the connection can be used again."""
        # A lost connection is reported to its next user.
        with contextlib.suppress(Transient):
            if self._outstanding:
                self._outstanding = 0
                self._connection.receive()

    def _receive(self) -> list[bytes]:
        if not self._outstanding:
            return []
        wanted, self._outstanding = self._outstanding, 0
        elements: list[bytes] | exceptions.ResponseError = self._connection.receive()
        if isinstance(elements, exceptions.ResponseError):
            raise reaction(elements)
        if len(elements) == wanted:
            self._slice = max(1, min(SLICE, SLICE_BYTES * wanted // max(1, sum(map(len, elements)))))
            self._request()
        return elements

    def _request(self) -> None:
        wanted = min(self._slice, self._limit - self._requested)
        if wanted:
            self._connection.send(("LRANGE", self._key, self._requested, self._requested + wanted - 1))
            self._outstanding = wanted
            self._requested += wanted


def find_claims(connection: Connection, stream: Stream) -> list[Claim]:
    """Return the existing claims of a stream, by SCAN: no key lists them."""
    cursor: bytes | int = b"0"
    chunks: set[int] = set()
    while True:
        cursor, names = connection.one(
            "SCAN", cursor, "MATCH", CLAIM_PATTERN.format(stream=stream), "COUNT", SCAN_COUNT
        )
        chunks.update(_chunk(name) for name in names)
        if int(cursor) == 0:
            return [Claim(stream, chunk) for chunk in sorted(chunks)]


def _chunk(name: bytes) -> int:
    size = name.decode().rpartition(":")[2]
    if not size.isdigit() or int(size) == 0:
        raise BrokenInvariant(f"Redis key {name.decode()!r} is not a claim; rename or delete it")
    return int(size)


def _fitting(elements: Sequence[bytes], room: int, budget: int) -> int:
    """Return how many elements belong to a chunk with this room; the one that uses up the bytes does."""
    if len(elements) <= room and sum(map(len, elements)) < budget:
        return len(elements)
    for index, element in enumerate(elements[:room], 1):
        budget -= len(element)
        if budget <= 0:
            return index
    return min(room, len(elements))
