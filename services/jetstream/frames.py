"""A websocket client that returns frames in batches, cut directly out of the received bytes.

Nearly everything a Jetstream host sends is an unmasked, unfragmented data frame (RFC 6455, section 5.2).
Creating a library object for each costs six times as much as slicing the bytes. Everything else (the
handshake, pings, fragments, protocol errors) is passed to the `websockets` library, one frame at a time, and
the library validates and answers it.
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

UNFRAGMENTED = (0x81, 0x82)
"""First bytes of an unfragmented data frame, text or binary, without extensions."""
TWO_BYTES, EIGHT_BYTES = 126, 127
"""Length codes: the payload length follows in so many bytes. A greater code means a masked payload."""
HANDSHAKE_END = b"\r\n\r\n"
MAX_HANDSHAKE_BYTES = 1 << 16
MAX_BUFFERED_BYTES = 1 << 20
"""Above this the socket is no longer read; one read may exceed it."""


class FrameReader(ClientConnection):
    """A connection whose frames are returned by `read`; the inherited `recv` returns none."""

    def __init__(self, protocol: ClientProtocol, max_frame_bytes: int, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._max_frame_bytes = max_frame_bytes
        self._handshake_done = False
        self._library_reads = False
        """From now on the library parses all bytes."""
        self._unread: list[bytes] = []
        self._missing = 1
        """Bytes that must arrive before parsing can continue."""
        self._fragments = bytearray()
        self._frames: list[bytes] = []
        self._buffered_bytes = 0
        self._flow_stopped = False
        self._arrived = asyncio.Event()

    async def read(self, limit: int) -> list[bytes]:
        """Wait for at least one frame; return all that have arrived, `limit` at most.

        Raises ConnectionClosed when no more can arrive.
        """
        while not self._frames:
            if self.connection_lost_waiter.done():
                raise self.close_exc
            self._arrived.clear()
            await self._arrived.wait()
        frames, self._frames = self._frames[:limit], self._frames[limit:]
        self._buffered_bytes -= sum(map(len, frames))
        if self._buffered_bytes <= MAX_BUFFERED_BYTES:
            self._resume_flow()
        return frames

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close. The socket is read again first, or the host's close frame would never arrive."""
        self._resume_flow()
        await super().close(code, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake a waiting `read`: no more frames arrive."""
        super().connection_lost(exc)
        self._arrived.set()

    def data_received(self, data: bytes) -> None:
        """Parse bytes from the socket."""
        if self._library_reads:
            super().data_received(data)
        else:
            self._parse(data)
        if self._frames:
            self._arrived.set()
        # While closing nobody calls `read`, and the host's close frame must still arrive.
        if (
            self._buffered_bytes > MAX_BUFFERED_BYTES
            and not self._flow_stopped
            and self.protocol.state is OPEN
        ):
            self._flow_stopped = True
            self.transport.pause_reading()

    def process_event(self, event: Event) -> None:
        """Keep the data frames that the library parsed; the library handles its other events."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.protocol.state is OPEN:
            self._fragments += event.data
            if event.fin:
                self._frames.append(bytes(self._fragments))
                self._buffered_bytes += len(self._fragments)
                self._fragments.clear()

    def _parse(self, data: bytes) -> None:
        self._unread.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        data = b"".join(self._unread)
        if self._handshake_done:
            used = self._cut(data) if self.protocol.state is OPEN else self._hand_over(data, 0)
        else:
            used = self._read_handshake(data)
        self._unread = [data[used:]] if used < len(data) else []

    def _read_handshake(self, data: bytes) -> int:
        """Pass the handshake's response to the library; return the number of bytes consumed."""
        found = data.find(HANDSHAKE_END)
        if found < 0 and len(data) < MAX_HANDSHAKE_BYTES:
            self._missing = 1
            return 0
        end = len(data) if found < 0 else found + len(HANDSHAKE_END)
        super().data_received(data[:end])
        self._handshake_done = True
        return self._hand_over(data, end) if self.protocol.state is not OPEN else self._cut(data, end)

    def _cut(self, data: bytes, at: int = 0) -> int:
        """Take all complete frames from offset `at`; return the number of bytes consumed."""
        frames, end, max_frame_bytes = self._frames, len(data), self._max_frame_bytes
        while at + 2 <= end:
            first, size, start = data[at], data[at + 1], at + 2
            is_plain = first in UNFRAGMENTED and size <= EIGHT_BYTES and self.protocol.current_size is None
            size &= 0x7F
            if size >= TWO_BYTES:
                start += 2 if size == TWO_BYTES else 8
                if start > end:
                    self._missing = start - end
                    return at
                size = int.from_bytes(data[at + 2 : start])
            after = start + size
            if size > max_frame_bytes:
                return self._hand_over(data, at)
            if after > end:
                self._missing = after - end
                return at
            if is_plain:
                frames.append(data[start:after])
                self._buffered_bytes += size
            else:
                super().data_received(data[at:after])
                if self.protocol.state is not OPEN:
                    return self._hand_over(data, after)
            at = after
        self._missing = at + 2 - end
        return at

    def _hand_over(self, data: bytes, at: int) -> int:
        """Let the library parse everything from offset `at` until the end of the connection."""
        self._library_reads = True
        if at < len(data):
            super().data_received(data[at:])
        return len(data)

    def _resume_flow(self) -> None:
        if self._flow_stopped:
            self._flow_stopped = False
            self.transport.resume_reading()
