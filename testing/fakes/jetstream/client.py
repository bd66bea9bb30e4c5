"""A plain subscriber for tests: connects, takes frames as bytes, waits for conditions with a deadline."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from testing.fakes.jetstream.clock import Clock
from testing.fakes.jetstream.server import FakeJetstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from testing.fakes.jetstream.settings import Options

DEADLINE_S = 20.0


def play(scenario: Callable[[FakeJetstream], Awaitable[None]], options: Options) -> None:
    """Run a scenario against one listening host, within the deadline."""

    async def staged() -> None:
        async with asyncio.timeout(DEADLINE_S), FakeJetstream(options) as fake:
            await scenario(fake)

    asyncio.run(staged())


def stopped_clock(first_us: int, backlog_s: float) -> Clock:
    """Return a clock that only `advance` moves: what exists is then exact."""
    return Clock(first_us, backlog_s, speed=0.0)


@asynccontextmanager
async def subscribed(fake: FakeJetstream, query: str = "") -> AsyncIterator[ClientConnection]:
    """Subscribe with a query string such as `?cursor=0`; raises websockets' InvalidStatus when refused."""
    async with connect(
        fake.url + query, compression=None, max_size=None, ping_interval=None, close_timeout=1
    ) as socket:
        yield socket


async def take(socket: ClientConnection, count: int) -> list[bytes]:
    """Return the next n frames."""
    return [await socket.recv(decode=False) for _ in range(count)]


async def everything(fake: FakeJetstream, query: str) -> list[bytes]:
    """Return all that one connection is sent until it reaches the tip."""
    async with subscribed(fake, query) as socket:
        record = fake.connections[-1]
        await until(lambda: record.caught_up)
        return await take(socket, record.sent)


async def drain(socket: ClientConnection) -> list[bytes]:
    """Return every frame until the connection ends; `socket.close_code` says how."""
    frames = []
    try:
        while True:
            frames.append(await socket.recv(decode=False))
    except ConnectionClosed:
        return frames


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; the scenario's deadline bounds it."""
    while not condition():  # noqa: ASYNC110 - conditions of another task's making have no event
        await asyncio.sleep(0.005)
