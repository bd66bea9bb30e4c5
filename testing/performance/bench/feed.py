"""A websocket server that sends a file of frames: as fast as the socket takes them, or at a steady rate.

`python -m testing.performance.bench.feed FRAMES EVENTS [RATE]`. The frames are kept in memory in the form of
the wire, so that the feed is not the bottleneck. It is controlled over stdin and stdout: it prints
`{"port": ...}` when it listens and `{"connected": ...}` for a client, sends all frames after a line on stdin,
and prints `{"cpu": ...}`, the CPU seconds of sending. With a rate it also prints a `control` port, where each
message is answered with `{"ok": true, "tip": ...}`, the number of frames due by now.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import sys
import time
from itertools import accumulate, islice
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WRITE_BYTES = 1 << 18
SHORT = 126
LONG = 1 << 16
TICK_SECONDS = 0.005


class Pace:
    """A number of frames per second from `start` on; all frames at once without a rate."""

    def __init__(self, rate: float | None, total: int) -> None:
        self._rate, self._total = rate, total
        self._began: float | None = None

    def start(self) -> None:
        """Start now."""
        self._began = time.monotonic()

    def tip(self) -> int:
        """Return the number of frames due by now."""
        if self._began is None:
            return 0
        if self._rate is None:
            return self._total
        return min(self._total, int((time.monotonic() - self._began) * self._rate))


def wire_frame(frame: bytes) -> bytes:
    """Return a text frame as a server sends it (RFC 6455, 5.2: final, unmasked)."""
    size = len(frame)
    if size < SHORT:
        return struct.pack(">BB", 0x81, size) + frame
    if size < LONG:
        return struct.pack(">BBH", 0x81, 126, size) + frame
    return struct.pack(">BBQ", 0x81, 127, size) + frame


def handshake(request: bytes) -> bytes:
    """Return the answer that upgrades a request to a websocket, without extensions (RFC 6455, 4.2.2)."""
    lines = (line.partition(b":") for line in request.split(b"\r\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    key = hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest()  # noqa: S324 - the protocol's
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    answer += b"Sec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n"
    if b"sec-websocket-protocol" in headers:
        answer += b"Sec-WebSocket-Protocol: " + headers[b"sec-websocket-protocol"] + b"\r\n"
    return answer + b"\r\n"


async def serve(frames: list[bytes], pace: Pace, *, is_paced: bool) -> None:
    """Listen until stdin ends; every client is sent each frame when it is due."""
    go, reader = asyncio.Event(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    wire, ends = b"".join(frames), [0, *accumulate(map(len, frames))]

    async def send(client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(handshake(await client.readuntil(b"\r\n\r\n")))
        print(json.dumps({"connected": True}), flush=True)
        await go.wait()
        # A client that does not keep up is ended while frames are due.
        with contextlib.suppress(ConnectionError):
            used, sent = time.process_time(), 0
            while sent < len(frames):
                due = pace.tip()
                for start in range(ends[sent], ends[due], WRITE_BYTES):
                    writer.write(wire[start : min(start + WRITE_BYTES, ends[due])])
                    await writer.drain()
                sent = due
                if is_paced:
                    await asyncio.sleep(TICK_SECONDS)
            print(json.dumps({"cpu": time.process_time() - used}), flush=True)
            # The client ends the connection; what it sends before does not matter.
            while await client.read(WRITE_BYTES):
                pass
        writer.close()

    async def report_tip(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(json.dumps({"ok": True, "tip": pace.tip()}))

    async with contextlib.AsyncExitStack() as servers:
        server = await servers.enter_async_context(await asyncio.start_server(send, "127.0.0.1", 0))
        ports = {"port": server.sockets[0].getsockname()[1]}
        if is_paced:
            control = await servers.enter_async_context(serve_websocket(report_tip, "127.0.0.1", 0))
            ports["control"] = next(iter(control.sockets)).getsockname()[1]
        print(json.dumps(ports), flush=True)
        while await reader.readline():
            pace.start()
            go.set()


def wire_frames(path: Path, most: int) -> list[bytes]:
    """Return the file's first frames in the form of the wire."""
    with path.open("rb") as file:
        return [wire_frame(line.rstrip(b"\n")) for line in islice(file, most)]


if __name__ == "__main__":
    loaded = wire_frames(Path(sys.argv[1]), int(sys.argv[2]))
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else None
    asyncio.run(serve(loaded, Pace(rate, len(loaded)), is_paced=rate is not None))
