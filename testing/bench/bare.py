"""The least a websocket client can do: receive frames and count them; prints its figures as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import uvloop
from websockets.asyncio.client import connect


async def receive(url: str, frames: int) -> None:
    """Receive so many frames with the ingester's own options, timed from the first."""
    async with connect(url, max_size=32 << 20, compression=None, max_queue=1024) as socket:
        await socket.recv(decode=False)
        began, used = time.perf_counter(), cpu_seconds()
        for _ in range(frames - 1):
            await socket.recv(decode=False)
        figures = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - used, "rss": peak_bytes()}
        # The feed answers no close frame.
        socket.transport.abort()
    print(json.dumps(figures))


def cpu_seconds() -> float:
    """Return the CPU seconds of this process so far, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_bytes() -> int:
    """Return the most memory that this program ever had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux that begins with what the parent had when it started this program.
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    uvloop.run(receive(sys.argv[1], int(sys.argv[2])))
