"""A websocket server that sends a file of frames as fast as the socket takes them: never the bottleneck.

The frames lie in memory as they go over the wire. Told over stdin and stdout: prints `{"port": …}` when it
listens and `{"connected": …}` when a client has come; sends all frames after a line on stdin, and then says
`{"cpu": …}`: how many CPU seconds that took it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import sys
import time
from itertools import islice
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


def accepted(request: bytes) -> bytes:
    """Return the answer that makes a websocket of a request, without extensions (RFC 6455, 4.2.2)."""
    lines = (line.partition(b":") for line in request.split(b"\r\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    key = hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest()  # noqa: S324 - the protocol's
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    answer += b"Sec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n"
    if b"sec-websocket-protocol" in headers:
        answer += b"Sec-WebSocket-Protocol: " + headers[b"sec-websocket-protocol"] + b"\r\n"
    return answer + b"\r\n"


async def serve(wire: bytes) -> None:
    """Listen until stdin ends; everybody is sent `wire`."""
    go, reader = asyncio.Event(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def answer(said: asyncio.StreamReader, told: asyncio.StreamWriter) -> None:
        told.write(accepted(await said.readuntil(b"\r\n\r\n")))
        print(json.dumps({"connected": True}), flush=True)
        await go.wait()
        used = time.process_time()
        for start in range(0, len(wire), WRITE_BYTES):
            told.write(wire[start : start + WRITE_BYTES])
            await told.drain()
        print(json.dumps({"cpu": time.process_time() - used}), flush=True)
        # The client ends the connection; what it says before does not matter.
        while await said.read(WRITE_BYTES):
            pass
        told.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        while await reader.readline():
            go.set()


def wire_of(frames: Path, most: int) -> bytes:
    """Return the file's first frames as they go over the wire."""
    with frames.open("rb") as file:
        return b"".join(on_the_wire(line.rstrip(b"\n")) for line in islice(file, most))


if __name__ == "__main__":
    asyncio.run(serve(wire_of(Path(sys.argv[1]), int(sys.argv[2]))))
