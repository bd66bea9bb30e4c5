"""The listening host: answers HTTP, upgrades subscribers, and takes commands on `/control`."""

from __future__ import annotations

import asyncio
import http
import inspect
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from testing.fakes.jetstream.faults import ABORT, Faults
from testing.fakes.jetstream.hostile import planted, planted_raw
from testing.fakes.jetstream.sources import Recording
from testing.fakes.jetstream.store import Store
from testing.fakes.jetstream.subscriber import Subscriber
from testing.fakes.jetstream.subscription import ConnectionRecord, Refused, parse, query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

    from testing.fakes.jetstream.settings import Options


_LARGEST_HELLO = 10_000_000


class FakeJetstream:
    """One host; `async with` listens and stops. `faults` disturbs it, `connections` records its clients."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.store = Store(options)
        self.faults = Faults(self.store, options.seed)
        self.connections: list[ConnectionRecord] = []
        self.port = options.port
        self._server: Server | None = None
        self._retired: list[Server] = []
        self._return: asyncio.Task[None] | None = None
        self._sockets: set[ServerConnection] = set()

    @property
    def url(self) -> str:
        """URL for subscribers."""
        return f"ws://{self.options.host}:{self.port}/subscribe"

    @property
    def control_url(self) -> str:
        """URL of the control socket."""
        return f"ws://{self.options.host}:{self.port}/control"

    def truth(self) -> Iterator[bytes]:
        """Yield every frame that exists so far, planted ones included."""
        return self.store.truth()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def up(self) -> None:
        """Listen, on the same port as before; no effect while it listens."""
        if self._server is not None:
            return
        v1 = self.store.view.kind == "v1"
        self._server = await serve(
            self._serve,
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
        """Refuse connects and cut every subscriber, for this many wall seconds or until `up`.

        Open control connections stay; new ones are refused too.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self.faults.fired["down"] += 1
        server.close(close_connections=False)
        self._retired.append(server)
        # The listening socket closes in a task of the library's own.
        await asyncio.sleep(0)
        for subscriber in list(self.faults.subscribers):
            subscriber.abort()
        if seconds is not None:
            self._return = asyncio.create_task(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.up()

    async def stop(self) -> None:
        """Shut down: v1 cuts its sockets, v2 closes them with 1001."""
        if self._return is not None:
            self._return.cancel()
        if self.store.view.kind == "v1":
            for subscriber in list(self.faults.subscribers):
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
        """Act as another server behind the same name: cut every subscriber and change numbers and times."""
        view = self.store.view
        self.store.view = replace(
            view,
            first_seq=view.first_seq if first_seq is None else first_seq,
            offset_us=view.offset_us if offset_us is None else offset_us,
        )
        self.faults.fired["change_namespace"] += 1
        self.faults.hang_up(ABORT)

    def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer requests that are no subscription or are refused, before the upgrade."""
        path = request.path.partition("?")[0]
        if path == "/control":
            return None
        if path == "/" and self.store.view.kind == "v1":
            return socket.respond(http.HTTPStatus.OK, "Welcome to Jetstream")
        if path != "/subscribe":
            return socket.respond(http.HTTPStatus.NOT_FOUND, "Not Found")
        refused = None
        if refusal := self.faults.take_refusal():
            refused = Refused(refusal.body, refusal.status)
        else:
            try:
                subscription = parse(request.path, request.headers, self.store.view.kind)
            except Refused as error:
                refused = error
            else:
                if subscription.compress and self.options.zstd_dictionary is None:
                    refused = Refused("this fake was given no zstd_dictionary", 501)
        if refused is None:
            return None
        self.connections.append(
            ConnectionRecord(request.path, query_of(request.path), refused.status, close_code=ABORT)
        )
        return socket.respond(refused.status, refused.text)

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        path = socket.request.path
        self._sockets.add(socket)
        try:
            if path.startswith("/control"):
                await serve_commands(self, socket)
                return
            record = ConnectionRecord(path, query_of(path))
            self.connections.append(record)
            subscription = parse(path, socket.request.headers, self.store.view.kind)
            await Subscriber(socket, subscription, record, self.store, self.faults).run()
            await socket.close()
            record.close_code = socket.close_code
        finally:
            self._sockets.discard(socket)


async def serve_commands(fake: FakeJetstream, socket: ServerConnection) -> None:
    """Carry out commands until the client disconnects."""
    try:
        async for message in socket:
            await socket.send(json.dumps(await answer(fake, message)))
    except ConnectionClosed:
        return


async def answer(fake: FakeJetstream, message: str | bytes) -> dict[str, Any]:
    """Carry out one command; errors are returned in the answer."""
    try:
        order = json.loads(message)
        result = commands(fake)[order.pop("do")](**order)
        if inspect.isawaitable(result):
            result = await result
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return {"ok": False, "error": repr(error)}
    return {"ok": True, "result": result, **status(fake)}


def commands(fake: FakeJetstream) -> dict[str, Callable[..., Any]]:
    """Return every command by name."""
    faults = fake.faults

    def plant(
        what: str = "", *, payload: str = "", binary: bool = False, size: int = 0, before: int | None = None
    ) -> int:
        at = fake.store.tip() if before is None else before
        if not what:
            return faults.plant(planted_raw(payload, binary=binary), before=at)
        return faults.plant(planted(what, size=size, time_us=fake.store.time_us(at)), before=at)

    return {
        "hang_up": faults.hang_up,
        "silence": faults.silence,
        "speak": faults.speak,
        "mute": faults.mute,
        "blind": faults.blind,
        "see": faults.see,
        "repeat": faults.repeat,
        "cutover": faults.cutover,
        "rewind": faults.rewind,
        "plant": plant,
        "refuse": faults.refuse,
        "end": fake.store.end,
        "pace": fake.store.pace,
        "keep": fake.store.keep,
        "change_namespace": fake.change_namespace,
        "down": fake.down,
        "up": fake.up,
        "advance": fake.options.clock.advance,
        "status": lambda: None,
    }


def status(fake: FakeJetstream) -> dict[str, Any]:
    """Return what has happened, and everything needed to compute the expected events."""
    store = fake.store
    return {
        "fired": dict(fake.faults.fired),
        "tip": store.tip(),
        "source": _source(fake),
        "now_us": store.now_us(),
        "rewinds": [[epoch.begin, epoch.back_us] for epoch in store.epochs[1:]],
        "plants": {at: len(plants) for at, plants in store.plants.items()},
        "connections": [{**asdict(record), "cursor": record.cursor} for record in fake.connections],
    }


def _source(fake: FakeJetstream) -> dict[str, Any] | None:
    """Return the traffic, rate changes included, as keywords of `Paced`; None for a recording."""
    source = fake.store.source
    if isinstance(source, Recording):
        return None
    names = ("seed", "first_us", "rate", "total", "changes")
    rhythm = None if source.rhythm is None else asdict(source.rhythm)
    return {**{name: getattr(source, name, ()) for name in names}, "rhythm": rhythm}
