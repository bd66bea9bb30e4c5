"""The writer's side: take a buffer, read a chunk of it, and ack it only if nobody touched it since.

Only commands that Redis still answers when its memory is full are used to claim, read and ack
(RENAMENX, LRANGE, LTRIM; never LMOVE or SET), so a full buffer can always be emptied.
"""

from __future__ import annotations

from contextlib import contextmanager
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
from services.buffer.reading import Reading
from services.shared.cursor import Cursor, Epoch, decode_cursor, decode_epoch
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.shared.lifecycle import Stopping

SCANNED_AT_ONCE = 1000


class Claim(NamedTuple):
    """A list that the writer took out of the buffer."""

    stream: Stream
    chunk: int

    @property
    def key(self) -> str:
        """Name in Redis."""
        return claim_key(self.stream, self.chunk)


class StoredPosition(NamedTuple):
    """The cursor as stored and its bytes, the epoch, the archive's id; None and 0 in an empty Redis."""

    cursor: Cursor | None
    raw: bytes | None
    epoch: int
    archive_id: str | None
    is_confirmed: bool
    """A writer has confirmed the cursor in this life of the server."""


class Tally(NamedTuple):
    """One stream's counts at one moment: the epoch, what it was pushed, and what waits in its buffer."""

    epoch: int
    pushed: int
    waiting: int


class Claims:
    """Speaks for one writer; every method blocks and raises Transient when the connection fails."""

    def __init__(self, url: str, stopping: Stopping) -> None:
        self._connection = Connection(url, stopping)

    def open(self, *, fence: bool = True) -> None:
        """Open and fence; refuses a server that may lose what is buffered. Unfenced: only to look."""
        self._connection.open(fence=fence)
        server.refuse_unsafe(self._connection)

    def close(self) -> None:
        """Close the connection; claims stay where they are."""
        self._connection.close()

    def position(self) -> StoredPosition:
        """Read where the ingester stands."""
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
        """Return the events waiting in each buffer."""
        wanted = list(streams)
        replies = self._connection.every(*[("LLEN", buffer_key(stream)) for stream in wanted])
        return dict(zip(wanted, replies, strict=True))

    def found(self, stream: Stream) -> list[Claim]:
        """Return the claims of a stream that exist, by SCAN: the only way to know."""
        cursor: bytes | int = b"0"
        chunks: set[int] = set()
        while True:
            cursor, names = self._connection.one(
                "SCAN", cursor, "MATCH", CLAIM_PATTERN.format(stream=stream), "COUNT", SCANNED_AT_ONCE
            )
            chunks.update(_chunk(name) for name in names)
            if int(cursor) == 0:
                return [Claim(stream, chunk) for chunk in sorted(chunks)]

    def take(self, stream: Stream, chunk: int) -> Claim | None:
        """Take the whole buffer as a claim; None when there is none."""
        claim = Claim(stream, chunk)
        (reply,) = self._connection.ask(("RENAMENX", buffer_key(stream), claim.key))
        if isinstance(reply, exceptions.ResponseError):
            if "no such key" in str(reply):
                return None
            raise reaction(reply)
        if reply == 0:
            raise Transient(f"{claim.key} exists already; looking for claims again")
        return claim

    @contextmanager
    def reading(self, claim: Claim, chunks: int) -> Iterator[Reading]:
        """Watch a claim and read its first chunks, so many at most; an ack may follow once this has ended."""
        self._connection.one("WATCH", claim.key)
        reading = Reading(self._connection, claim.key, claim.chunk, chunks)
        try:
            yield reading
        finally:
            reading.end()
        if not reading.count:
            # Watched on, it would void the ack of the next claim: RENAMENX makes this very key.
            self._connection.one("UNWATCH")

    def ack(self, claim: Claim, count: int) -> None:
        """Remove the first `count` events of a claim, if it is as it was when it was read.

        Raises Transient when it is not, or when that is not known: claims are looked for again then.
        """
        replies = self._connection.every(("MULTI",), ("LTRIM", claim.key, count, -1), ("EXEC",))
        if replies[-1] is None:
            raise Transient(f"{claim.key} changed while it was committed; looking for claims again")

    def register(self, archive_id: str) -> None:
        """Tell a Redis that knows no archive which one it belongs to."""
        self._connection.one("SET", ARCHIVE_ID, archive_id, "NX")

    def confirm(self, epoch: int) -> None:
        """Say that the cursor is the right one, so that an ingester may go on from it."""
        self._connection.one("SET", EPOCH, Epoch(epoch, self._connection.run_id).encode())

    def begin_epoch(
        self, before: bytes | None, cursor: Cursor, archive_id: str, gaps: Iterable[bytes]
    ) -> bool:
        """Set the cursor of a new epoch and note its gaps; False when the cursor was no longer `before`.

        The counts begin anew: what lies in the lists now is all that this epoch has been pushed so far.
        """
        noted = list(gaps)
        self._connection.one("WATCH", CURSOR)
        if self._connection.one("GET", CURSOR) != before:
            self._connection.one("UNWATCH")
            return False
        held = {stream: self._held(stream) for stream in Stream}
        held[Stream.GAPS] += len(noted)
        counts: list[str | int] = [
            part for stream, count in held.items() for part in (f"{stream}:pushed", count)
        ]
        rows: list[Command] = [("RPUSH", buffer_key(Stream.GAPS), *noted)] if noted else []
        commands: list[Command] = [
            ("MULTI",),
            *rows,
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
        """Return the events left in a claim."""
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

    def sample(self, stream: Stream, most: int) -> list[bytes]:
        """Return the oldest waiting events of a buffer; they stay."""
        return list(self._connection.one("LRANGE", buffer_key(stream), 0, most - 1))

    def _held(self, stream: Stream) -> int:
        waiting = int(self._connection.one("LLEN", buffer_key(stream)))
        return waiting + sum(self.length(claim) for claim in self.found(stream))


def _chunk(name: bytes) -> int:
    size = name.decode().rpartition(":")[2]
    if not size.isdigit() or int(size) == 0:
        raise BrokenInvariant(f"Redis key {name.decode()!r} is no claim of ours; rename or delete it")
    return int(size)
