"""The tools' side of the buffer: events and counts in one conditional transaction, without the cursor.

People use the same Redis user, so opening does not fence. Instead each push writes a nonce that the next push
watches: a transaction that an older connection still sends is applied before we read, or never.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from redis import exceptions

from services.buffer import server
from services.buffer.claims import find_claims
from services.buffer.connection import Command, Connection, errors_among, reaction, refuse_partial
from services.buffer.keys import (
    ARCHIVE_ID,
    CURSOR,
    EPOCH,
    OPERATOR_PUSH,
    PUSHED,
    buffer_key,
)
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor, decode_cursor, decode_epoch
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping

SLICE = 1000


class OperatorPusher:
    """One tool's connection; every method blocks and raises Transient when the connection fails."""

    def __init__(self, url: str, stopping: Stopping) -> None:
        self._connection = Connection(url, stopping)
        self._nonce = secrets.token_hex(8)
        self._pushes = 0
        self._stored: bytes | None = None
        self._epoch = b""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def open(self, archive_id: str) -> None:
        """Open and watch; the buffers must be read only after this.

        Raises Transient while no writer has confirmed the cursor, and BrokenInvariant when this Redis
        belongs to another archive than `archive_id`.
        """
        self._connection.open(fence=False)
        server.refuse_unsafe(self._connection)
        _, epoch, stored, known = self._connection.every(
            ("WATCH", EPOCH, OPERATOR_PUSH), ("GET", EPOCH), ("GET", OPERATOR_PUSH), ("GET", ARCHIVE_ID)
        )
        if epoch is None or decode_epoch(epoch).run_id != self._connection.run_id:
            raise Transient("no writer has confirmed the cursor since Redis started; is one running?")
        if known is None or known.decode() != archive_id:
            raise BrokenInvariant(
                f"Redis holds events of archive {known.decode() if known else 'none'}, and ARCHIVE_ROOT is "
                f"archive {archive_id}: point ARCHIVE_ROOT or REDIS_URL at the other one"
            )
        self._epoch, self._stored = epoch, stored

    def cursor(self) -> Cursor:
        """Return the stored cursor."""
        (raw,) = self._connection.every(("GET", CURSOR))
        if raw is None:
            raise Transient("there is no cursor yet; the writer sets it")
        return decode_cursor(raw, CURSOR)

    def waiting(self, stream: Stream) -> Iterator[list[bytes]]:
        """Yield a stream's events in Redis, slice by slice: first the buffer, then the claims.

        Events that leave Redis meanwhile are committed, so reading the archive after this misses none.
        """
        yield from self._slices(buffer_key(stream))
        for claim in find_claims(self._connection, stream):
            yield from self._slices(claim.key)

    def push(self, elements: Mapping[Stream, Sequence[bytes]], counts: Mapping[str, int]) -> None:
        """Push all or nothing; `counts` are additions to `archive:pushed`, by `<stream>:<count>`.

        Raises Full when Redis is full (nothing changed; the same may be pushed again). Raises Transient when
        it is unknown whether the push was stored, or another push was; the caller then opens again and reads
        the buffers.
        """
        mine = f"{self._nonce} {self._pushes + 1}".encode()
        commands: list[Command] = [("MULTI",)]
        commands += [("RPUSH", buffer_key(stream), *some) for stream, some in elements.items() if some]
        commands += [("HINCRBY", PUSHED, field, count) for field, count in counts.items() if count]
        commands += [("SET", OPERATOR_PUSH, mine), ("EXEC",)]
        reach(CrashPoint.BUFFER_BEFORE_EXEC)
        replies = self._connection.ask(
            *commands, ("WATCH", EPOCH, OPERATOR_PUSH), ("GET", EPOCH), ("GET", OPERATOR_PUSH)
        )
        reach(CrashPoint.BUFFER_AFTER_EXEC)
        queued, (done, watched, epoch, stored) = replies[:-4], replies[-4:]
        errors = errors_among((*queued, done, watched, epoch, stored))
        if errors and stored == self._stored:
            raise reaction(errors[0])
        if errors or done is None or stored != mine or epoch != self._epoch:
            raise Transient("Redis or another tool changed the buffers meanwhile; reading them again")
        refuse_partial(done)
        self._stored = mine
        self._pushes += 1

    def memory(self) -> server.Memory:
        """Return how full Redis is."""
        return server.memory(self._connection)

    def rewrite_log(self) -> None:
        """Start a rewrite of Redis' append-only file, which drops what has left the lists."""
        (reply,) = self._connection.ask(("BGREWRITEAOF",))
        if isinstance(reply, exceptions.ResponseError) and "in progress" not in str(reply):
            raise reaction(reply)

    def _slices(self, key: str) -> Iterator[list[bytes]]:
        # An ack removes elements from the head meanwhile, which shifts the indexes of the rest; counted from
        # the tail they do not. A push to the tail only makes some elements be read twice.
        end = -1
        while True:
            (found,) = self._connection.every(("LRANGE", key, end - SLICE + 1, end))
            if found:
                yield found
            if len(found) < SLICE:
                return
            end -= SLICE
