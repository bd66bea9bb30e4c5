"""Clients of a fake host: its control socket, and a plain subscriber for tests.

A command is one JSON object a message, `{"do": NAME, ...arguments}`. The answer is
`{"ok": false, "error": "..."}` or `{"ok": true, "result": ..., ...}` with the status of the host.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync

from testing.fakes.jetstream.server import FakeJetstream
from testing.fakes.jetstream.settings import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from websockets.sync.client import ClientConnection as SyncConnection

    from testing.fakes.jetstream.settings import Options

DEADLINE_S = 20.0


class RefusedError(Exception):
    """A host refused a command; the message is its error."""


def encode_command(name: str, arguments: dict[str, Any]) -> str:
    """Return the message for a command."""
    return json.dumps({"do": name, **arguments})


def decode_answer(message: str | bytes) -> dict[str, Any]:
    """Return the host's status from an answer; raises RefusedError."""
    answer: dict[str, Any] = json.loads(message)
    if not answer["ok"]:
        raise RefusedError(answer["error"])
    return answer


class Control:
    """A control connection; it works also while the host refuses subscribers."""

    def __init__(self, socket: SyncConnection) -> None:
        self._socket = socket

    def send(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command; returns the host's status after it. Raises RefusedError."""
        self._socket.send(encode_command(command, arguments))
        return decode_answer(self._socket.recv())


@contextmanager
def control_connection(address: str) -> Iterator[Control]:
    """Connect to a control socket while inside; raises OSError or websockets' exceptions."""
    with connect_sync(address, max_size=None) as socket:
        yield Control(socket)


def send_command(address: str, command: str, **arguments: Any) -> dict[str, Any]:
    """Send one command over a connection of its own; returns the host's status after it."""
    with control_connection(address) as control:
        return control.send(command, **arguments)


def play(scenario: Callable[[FakeJetstream], Awaitable[None]], options: Options) -> None:
    """Run a scenario against one listening host, within DEADLINE_S seconds."""

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), FakeJetstream(options) as fake:
            await scenario(fake)

    asyncio.run(run())


def stopped_clock(first_us: int, backlog_s: float) -> Clock:
    """Return a clock that only `advance` moves, so that the number of existing events is exact."""
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
    """Return every frame that one connection receives until it reaches the tip."""
    async with subscribed(fake, query) as socket:
        record = fake.connections[-1]
        await until(lambda: record.caught_up)
        return await take(socket, record.sent)


async def drain(socket: ClientConnection) -> list[bytes]:
    """Return every frame until the connection ends; `socket.close_code` tells how it ended."""
    frames = []
    try:
        while True:
            frames.append(await socket.recv(decode=False))
    except ConnectionClosed:
        return frames


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; the scenario's deadline bounds it."""
    while not condition():  # noqa: ASYNC110 - another task changes the condition without an event
        await asyncio.sleep(0.005)
