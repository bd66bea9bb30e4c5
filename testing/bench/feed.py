"""A websocket server that sends a file of frames as fast as the socket takes them: never the bottleneck.

The frames lie in memory as they go over the wire. Told over stdin and stdout: prints `{"port": …}` when it
listens and `{"connected": …}` when a client has come; sends all frames after a line on stdin.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WRITE_BYTES = 1 << 18
SHORT = 126
LONG = 1 << 16


def on_the_wire(frame: bytes) -> bytes:
    """Return a text frame as a server sends it (RFC 6455, 5.2: final, unmasked)."""
    size = len(frame)
    if size < SHORT:
        return struct.pack(">BB", 0x81, size) + frame
    if size < LONG:
        return struct.pack(">BBH", 0x81, 126, size) + frame
    return struct.pack(">BBQ", 0x81, 127, size) + frame


async def serve(wire: bytes) -> None:
    """Listen until stdin ends; everybody is sent `wire`."""
    go, reader = asyncio.Event(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def answer(said: asyncio.StreamReader, told: asyncio.StreamWriter) -> None:
        request = await said.readuntil(b"\r\n\r\n")
        key = next(
            line.partition(b":")[2].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()  # noqa: S324 - the protocol's
        told.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        print(json.dumps({"connected": True}), flush=True)
        await go.wait()
        for start in range(0, len(wire), WRITE_BYTES):
            told.write(wire[start : start + WRITE_BYTES])
            await told.drain()
        # The client ends the connection; what it says before does not matter.
        while await said.read(WRITE_BYTES):
            pass
        told.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        while await reader.readline():
            go.set()


if __name__ == "__main__":
    asyncio.run(serve(b"".join(map(on_the_wire, Path(sys.argv[1]).read_bytes().splitlines()))))
