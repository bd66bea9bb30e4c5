"""The tools' side: events and their counts in one conditional transaction that leaves the cursor alone.

Its user is people's too, so opening does not fence. Instead each push writes a nonce that the next one
watches: what an older connection still sends is applied before we look, or never.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from redis import exceptions

from services.buffer import server
from services.buffer.connection import Command, Connection, errors_among, reaction, refuse_partial
from services.buffer.keys import (
    ARCHIVE_ID,
    CLAIM_PATTERN,
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
    """Speaks for one tool; every method blocks and raises Transient when the connection fails."""

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
        """Open and watch; what is buffered may be looked at only after this.

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
        """Return where the ingester stands."""
        (raw,) = self._connection.every(("GET", CURSOR))
        if raw is None:
            raise Transient("there is no cursor; the writer will set one")
        return decode_cursor(raw, CURSOR)

    def waiting(self, stream: Stream) -> Iterator[list[bytes]]:
        """Yield what of a stream waits in Redis, in the direction of its flow: first buffer, then claims.

        What leaves meanwhile is committed: reading the archive after this misses nothing.
        """
        yield from self._slices(buffer_key(stream))
        cursor: bytes | int = b"0"
        claims: set[bytes] = set()
        while True:
            ((cursor, names),) = self._connection.every(
                ("SCAN", cursor, "MATCH", CLAIM_PATTERN.format(stream=stream), "COUNT", SLICE)
            )
            claims.update(names)
            if int(cursor) == 0:
                break
        for claim in sorted(claims):
            yield from self._slices(claim)

    def push(self, elements: Mapping[Stream, Sequence[bytes]], counts: Mapping[str, int]) -> None:
        """Push all or nothing; `counts` are additions to `archive:pushed`, by `<stream>:<count>`.

        Raises Full when memory is short (nothing changed; the same may be pushed again), and Transient when
        it is not known, or known not, to be ours: open again and look at what is there.
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
            raise Transient("Redis or another tool changed the buffers meanwhile; looking again")
        refuse_partial(done)
        self._stored = mine
        self._pushes += 1

    def memory(self) -> server.Memory:
        """Ask how full Redis is."""
        return server.memory(self._connection)

    def rewrite_log(self) -> None:
        """Let Redis write its append-only file anew, without what has left the lists."""
        (reply,) = self._connection.ask(("BGREWRITEAOF",))
        if isinstance(reply, exceptions.ResponseError) and "in progress" not in str(reply):
            raise reaction(reply)

    def _slices(self, key: str | bytes) -> Iterator[list[bytes]]:
        # An ack takes elements from the head while we read: that shifts the rest, and may hide a slice from
        # us. Read from the tail, what shifts is what we have read.
        end = -1
        while True:
            (found,) = self._connection.every(("LRANGE", key, end - SLICE + 1, end))
            if found:
                yield found
            if len(found) < SLICE:
                return
            end -= SLICE
