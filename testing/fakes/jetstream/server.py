"""The listening host: answers HTTP, upgrades subscribers, goes down and up, changes its namespace."""

from __future__ import annotations

import asyncio
import http
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from websockets.asyncio.server import Server, ServerConnection, serve

from testing.fakes.jetstream import control
from testing.fakes.jetstream.connection import Connection
from testing.fakes.jetstream.lies import ABORT, Lies
from testing.fakes.jetstream.store import Store
from testing.fakes.jetstream.subscriber import Subscriber
from testing.fakes.jetstream.subscription import Refused, parse, query_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.http11 import Request, Response

    from testing.fakes.jetstream.settings import Options

_LARGEST_HELLO = 10_000_000


class FakeJetstream:
    """One host; `async with` listens and stops. `lies` commands it, `connections` tells what clients did."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.store = Store(options)
        self.lies = Lies(self.store, options.seed)
        self.connections: list[Connection] = []
        self.port = options.port
        self._server: Server | None = None
        self._retired: list[Server] = []
        self._return: asyncio.Task[None] | None = None
        self._sockets: set[ServerConnection] = set()

    @property
    def url(self) -> str:
        """Where to subscribe."""
        return f"ws://{self.options.host}:{self.port}/subscribe"

    @property
    def control_url(self) -> str:
        """Where to send commands, see `control`."""
        return f"ws://{self.options.host}:{self.port}/control"

    def truth(self) -> Iterator[bytes]:
        """Yield all that is on the record so far, planted frames included."""
        return self.store.truth()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def up(self) -> None:
        """Listen, on the same port as before; nothing happens if it already does."""
        if self._server is not None:
            return
        v1 = self.store.view.kind == "v1"
        self._server = await serve(
            self._converse,
            self.options.host,
            self.port,
            compression=None,
            process_request=self._answer,
            ping_interval=self.options.ping_interval_s,
            ping_timeout=None if v1 else 5.0,
            close_timeout=2.0,
            max_size=_LARGEST_HELLO,
            server_header=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def down(self, seconds: float | None = None) -> None:
        """Drop off the network, for so many wall seconds or until `up`: no connects, every subscriber cut.

        Open control connections stay; a new one cannot be made while it is down.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self.lies.fired["down"] += 1
        server.close(close_connections=False)
        self._retired.append(server)
        # The listening socket closes in a task of the library's own.
        await asyncio.sleep(0)
        for subscriber in list(self.lies.subscribers):
            subscriber.abort()
        if seconds is not None:
            self._return = asyncio.create_task(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.up()

    async def stop(self) -> None:
        """Shut down for good: v1 just drops its sockets, v2 closes them with 1001."""
        if self._return is not None:
            self._return.cancel()
        if self.store.view.kind == "v1":
            for subscriber in list(self.lies.subscribers):
                subscriber.abort()
        if self._server is not None:
            self._server.close(code=1001, reason="server shutting down")
            await self._server.wait_closed()
            self._server = None
        for socket in list(self._sockets):
            socket.transport.abort()
            await socket.wait_closed()
        for server in self._retired:
            await server.wait_closed()

    def change_namespace(self, first_seq: int | None = None, offset_us: int | None = None) -> None:
        """Put another server behind the same name: cut everyone, then number and time the events anew."""
        view = self.store.view
        self.store.view = replace(
            view,
            first_seq=view.first_seq if first_seq is None else first_seq,
            offset_us=view.offset_us if offset_us is None else offset_us,
        )
        self.lies.fired["change_namespace"] += 1
        self.lies.hang_up(ABORT)

    def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer what is no subscription, and what is refused, before the upgrade."""
        path = request.path.partition("?")[0]
        if path == "/control":
            return None
        if path == "/" and self.store.view.kind == "v1":
            return socket.respond(http.HTTPStatus.OK, "Welcome to Jetstream")
        if path != "/subscribe":
            return socket.respond(http.HTTPStatus.NOT_FOUND, "Not Found")
        refused = None
        if refusal := self.lies.take_refusal():
            refused = Refused(refusal.body, refusal.status)
        else:
            try:
                asked = parse(request.path, request.headers, self.store.view.kind)
            except Refused as error:
                refused = error
            else:
                if asked.compress and self.options.zstd_dictionary is None:
                    refused = Refused("this fake was given no zstd_dictionary", 501)
        if refused is None:
            return None
        self.connections.append(
            Connection(request.path, query_of(request.path), refused.status, close_code=ABORT)
        )
        return socket.respond(refused.status, refused.text)

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        path = socket.request.path
        self._sockets.add(socket)
        try:
            if path.startswith("/control"):
                await control.listen(self, socket)
                return
            record = Connection(path, query_of(path))
            self.connections.append(record)
            asked = parse(path, socket.request.headers, self.store.view.kind)
            await Subscriber(socket, asked, record, self.store, self.lies).run()
            await socket.close()
            record.close_code = socket.close_code
        finally:
            self._sockets.discard(socket)
