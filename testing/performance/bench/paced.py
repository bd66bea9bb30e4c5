"""A websocket server that sends a file of frames at a steady rate, whoever keeps up.

It is told over stdin and stdout as `feed` is: prints `{"port": …, "control": …}`, then `{"connected": …}`,
and sends after a line on stdin. On the control port it answers every message with `{"ok": true, "tip": …}`,
as a fake host does: how many frames exist by now.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from itertools import accumulate, islice
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from testing.performance.bench.feed import accepted, on_the_wire

TICK_SECONDS = 0.005


class Pace:
    """So many frames a second from its start on."""

    def __init__(self, rate: float, total: int) -> None:
        self._rate, self._total = rate, total
        self._began: float | None = None

    def start(self) -> None:
        """Begin now."""
        self._began = time.monotonic()

    def tip(self) -> int:
        """Return how many frames exist by now."""
        if self._began is None:
            return 0
        return min(self._total, int((time.monotonic() - self._began) * self._rate))


async def serve(wires: list[bytes], pace: Pace) -> None:
    """Listen until stdin ends; the one client is sent each frame when it is due."""
    go, reader = asyncio.Event(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    whole, ends = b"".join(wires), [0, *accumulate(map(len, wires))]

    async def answer(said: asyncio.StreamReader, told: asyncio.StreamWriter) -> None:
        told.write(accepted(await said.readuntil(b"\r\n\r\n")))
        print(json.dumps({"connected": True}), flush=True)
        await go.wait()
        # Who could not keep up is ended while more is due.
        with contextlib.suppress(ConnectionError):
            sent = 0
            while sent < len(wires):
                due = pace.tip()
                told.write(whole[ends[sent] : ends[due]])
                await told.drain()
                sent = due
                await asyncio.sleep(TICK_SECONDS)
            while await said.read(1 << 16):
                pass
        told.close()

    async def tell(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(json.dumps({"ok": True, "tip": pace.tip()}))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, serve_websocket(tell, "127.0.0.1", 0) as control:
        ports = [one.sockets[0].getsockname()[1] for one in (server, control)]
        print(json.dumps(dict(zip(("port", "control"), ports, strict=True))), flush=True)
        while await reader.readline():
            pace.start()
            go.set()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as lines:
        frames = [on_the_wire(line.rstrip(b"\n")) for line in islice(lines, int(sys.argv[2]))]
    asyncio.run(serve(frames, Pace(float(sys.argv[3]), len(frames))))
