"""The client's end of a websocket, by batches: frames are cut out of the bytes as they lie in the socket.

Nearly all that a host sends are unmasked data frames in one piece (RFC 6455, 5.2). To make an object of each
costs six times what it costs to cut it out. All else, from the handshake to pings, pieces, and what is wrong,
goes to the library whole, one frame at a time: it judges and answers as ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, CloseCode, Frame
from websockets.protocol import OPEN

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.protocol import Event

WHOLE = (0x81, 0x82)
"""First bytes of a data frame in one piece, text or binary, with no extension."""
TWO_BYTES, EIGHT_BYTES = 126, 127
"""In place of a payload's length: it follows, in so many bytes. Greater: the payload is masked."""
HEAD_END = b"\r\n\r\n"
LONGEST_HEAD = 1 << 16
MOST_BYTES = 1 << 20
"""What may lie here before the socket waits; one read may go beyond it."""


class Wire(ClientConnection):
    """A connection whose frames are taken by `batch`; `recv` gives none."""

    def __init__(self, protocol: ClientProtocol, largest: int, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._largest = largest
        self._begun = self._theirs = False
        self._unread: list[bytes] = []
        self._wanted = 1
        """So many bytes are missing before there is anything to do."""
        self._pieces = bytearray()
        self._frames: list[bytes] = []
        self._size = 0
        self._is_paused = False
        self._arrived = asyncio.Event()

    async def batch(self, most: int) -> list[bytes]:
        """Return the frames that came since, one at least and `most` at most.

        Raises ConnectionClosed when none is to come.
        """
        while not self._frames:
            if self.connection_lost_waiter.done():
                raise self.close_exc
            self._arrived.clear()
            await self._arrived.wait()
        frames, self._frames = self._frames[:most], self._frames[most:]
        self._size -= sum(map(len, frames))
        if self._size <= MOST_BYTES:
            self._flow()
        return frames

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close; what still waits in the socket must not hide the answer."""
        self._flow()
        await super().close(code, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits for frames know that there will be none."""
        super().connection_lost(exc)
        self._arrived.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._theirs:
            super().data_received(data)
        else:
            self._take(data)
        if self._frames:
            self._arrived.set()
        # Once it is being closed, what lies here is taken by nobody, and the answer is still to come.
        if self._size > MOST_BYTES and not self._is_paused and self.protocol.state is OPEN:
            self._is_paused = True
            self.transport.pause_reading()

    def process_event(self, event: Event) -> None:
        """Take what the library made of a frame, or of the handshake's response."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.protocol.state is OPEN:
            self._pieces += event.data
            if event.fin:
                self._frames.append(bytes(self._pieces))
                self._size += len(self._pieces)
                self._pieces.clear()

    def _take(self, data: bytes) -> None:
        self._unread.append(data)
        self._wanted -= len(data)
        if self._wanted > 0:
            return
        data = b"".join(self._unread)
        if self._begun:
            used = self._cut(data) if self.protocol.state is OPEN else self._hand_over(data, 0)
        else:
            used = self._begin(data)
        self._unread = [data[used:]] if used < len(data) else []

    def _begin(self, data: bytes) -> int:
        """Let the library read the handshake's response; returns how many bytes are done with."""
        found = data.find(HEAD_END)
        if found < 0 and len(data) < LONGEST_HEAD:
            self._wanted = 1
            return 0
        end = len(data) if found < 0 else found + len(HEAD_END)
        super().data_received(data[:end])
        self._begun = True
        return self._hand_over(data, end) if self.protocol.state is not OPEN else self._cut(data, end)

    def _cut(self, data: bytes, at: int = 0) -> int:
        """Take all whole frames from `at` on; returns how many bytes are done with."""
        frames, end, largest = self._frames, len(data), self._largest
        while at + 2 <= end:
            first, size, start = data[at], data[at + 1], at + 2
            is_whole = first in WHOLE and size <= EIGHT_BYTES and self.protocol.current_size is None
            size &= 0x7F
            if size >= TWO_BYTES:
                start += 2 if size == TWO_BYTES else 8
                if start > end:
                    self._wanted = start - end
                    return at
                size = int.from_bytes(data[at + 2 : start])
            after = start + size
            if size > largest:
                return self._hand_over(data, at)
            if after > end:
                self._wanted = after - end
                return at
            if is_whole:
                frames.append(data[start:after])
                self._size += size
            else:
                super().data_received(data[at:after])
                if self.protocol.state is not OPEN:
                    return self._hand_over(data, after)
            at = after
        self._wanted = at + 2 - end
        return at

    def _hand_over(self, data: bytes, at: int) -> int:
        """Leave the rest of the connection to the library."""
        self._theirs = True
        if at < len(data):
            super().data_received(data[at:])
        return len(data)

    def _flow(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
