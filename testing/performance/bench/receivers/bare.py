"""A bare receive loop: receive frames and count them, with the websocket options of the ingester."""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.client import connect

from testing.performance.bench.child import Stopwatch


async def receive(url: str, frames: int) -> None:
    """Receive `frames` frames, timed from the first."""
    async with connect(url, max_size=32 << 20, compression=None, max_queue=1024) as socket:
        await socket.recv(decode=False)
        watch = Stopwatch()
        for _ in range(frames - 1):
            await socket.recv(decode=False)
        watch.print_figures(frames)
        # The feed does not reply to a close frame.
        socket.transport.abort()


if __name__ == "__main__":
    uvloop.run(receive(sys.argv[1], int(sys.argv[2])))
