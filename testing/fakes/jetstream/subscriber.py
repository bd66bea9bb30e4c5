"""One client's connection: replay, cutover and live tail, with faults."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import islice
from typing import TYPE_CHECKING

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from testing.fakes.jetstream.delivery import Delivery
from testing.fakes.jetstream.faults import ABORT, Faults, HangUp
from testing.fakes.jetstream.subscription import Refused, Subscription, parse_hello

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.asyncio.server import ServerConnection

    from testing.fakes.jetstream.store import Start, Store
    from testing.fakes.jetstream.subscription import ConnectionRecord

_BATCH = 128
_POLL_S = 0.02
"""Poll interval of an idle connection."""
_SHORTEST_WAIT_S = 0.005
_LINGER_S = 1.0


class Subscriber:
    """Drives one connection until it ends."""

    def __init__(
        self,
        socket: ServerConnection,
        request: Subscription,
        record: ConnectionRecord,
        store: Store,
        faults: Faults,
    ) -> None:
        self.record = record
        self._socket = socket
        self._store = store
        self._faults = faults
        self._cursor = request.cursor
        self._hello = asyncio.Event()
        if not request.require_hello:
            self._hello.set()
        self._delivery = Delivery(socket, request, record, store, faults)
        self._closing: asyncio.Task[None] | None = None
        self._position = 0
        self._live = False

    async def run(self) -> None:
        """Send until the client, a fault or the server ends the connection."""
        self._faults.subscribers.add(self)
        duties = [asyncio.create_task(duty()) for duty in (self._read, self._watch_outbox)]
        try:
            if self._faults.take_mute():
                await self._socket.wait_closed()
            await self._hello.wait()
            await self._replay(self._store.start(self._cursor))
            await self._follow()
        except ConnectionClosed:
            pass
        finally:
            self._faults.subscribers.discard(self)
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)

    def hang_up(self, code: int, reason: str) -> None:
        """End the connection now: without a close frame if the code is ABORT."""
        if code == ABORT:
            self.abort()
        else:
            self._closing = asyncio.create_task(self._socket.close(code, reason))

    def repeat(self, frames: int) -> None:
        """Send the last n frames again, before anything new."""
        self._delivery.repeats += frames

    def abort(self) -> None:
        """Cut the socket."""
        self._socket.transport.abort()

    async def _read(self) -> None:
        """Apply options_update messages; on a bad one close as this kind of server does."""
        v1 = self._store.view.kind == "v1"
        try:
            await self._apply_messages(v1=v1)
        finally:
            # A client that left before its hello is noticed by the next send.
            self._hello.set()

    async def _apply_messages(self, *, v1: bool) -> None:
        async for message in self._socket:
            if isinstance(message, bytes):
                continue
            try:
                filters = parse_hello(json.loads(message), self._store.view.kind)
            except (ValueError, TypeError, AttributeError) as error:
                text = f"failed to unmarshal subscriber sourced message: {error}"
                return await self._socket.close(1000 if v1 else 1007, _reason(text))
            except Refused as error:
                text = f"failed to parse subscriber options: {error.text}"
                return await self._socket.close(1000 if v1 else 1008, _reason(text))
            if filters is not None:
                self._delivery.filters = filters
                self._hello.set()
        return None

    async def _watch_outbox(self) -> None:
        """Disconnect a live client that falls too far behind, as v1 does when its outbox is full."""
        limit = self._store.options.outbox if self._store.view.kind == "v1" else None
        while limit is not None:
            await asyncio.sleep(_POLL_S)
            if self._live and self._store.tip() - self._position > limit:
                self._faults.fired["overflow"] += 1
                self.abort()
                return

    async def _replay(self, start: Start) -> None:
        if start.live:
            self._position = start.tip
            return
        if self._store.begins_at_event(start, self._cursor):
            self._delivery.pass_over_planted(start.first)
        replayable = self._store.before_cutover()
        await self._send(self._store.replayed(start, replayable))
        self._position = replayable
        while self._position < (replayable := self._store.before_cutover()):
            await self._send(i for i in range(self._position, replayable) if self._store.admits(start, i))
            self._position = replayable
        tip = self._store.tip()
        window = (i for i in range(self._position, tip) if self._store.admits(start, i))
        kept, late, dropped = self._faults.disturb(window)
        self.record.dropped += dropped
        self.record.late += late
        await self._send([*kept, *late])
        self._position = tip

    async def _follow(self) -> None:
        while True:
            tip = self._store.tip()
            if self._position < tip:
                upto = min(tip, self._position + _BATCH)
                await self._send(range(self._position, upto))
                self._position = upto
            else:
                self._live = self.record.caught_up = True
                await self._send_batch((), self._position)
                wait = self._store.wait_s(self._position)
                await asyncio.sleep(min(max(wait, _SHORTEST_WAIT_S), _POLL_S))

    async def _send(self, events: Iterable[int]) -> None:
        source = iter(events)
        while batch := list(islice(source, _BATCH)):
            await self._send_batch(batch)

    async def _send_batch(self, batch: Iterable[int], planted_at: int | None = None) -> None:
        await self._wait_while_silent()
        await self._delivery.send(batch, planted_at)
        if self._delivery.hang_up is not None:
            await self._end(self._delivery.hang_up)
        # A drained send does not yield by itself, and pings must be answered.
        await asyncio.sleep(0)

    async def _wait_while_silent(self) -> None:
        if not self._faults.silent:
            return
        self._faults.fired["silence"] += 1
        self._live = False
        while self._faults.silent and self._socket.state is State.OPEN:  # noqa: ASYNC110 - two ends
            await asyncio.sleep(_POLL_S)

    async def _end(self, hang_up: HangUp) -> None:
        if hang_up.code == ABORT:
            # Let the frames already sent arrive, unless the client has stopped reading.
            deadline = time.monotonic() + _LINGER_S
            while self._socket.transport.get_write_buffer_size() and time.monotonic() < deadline:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)
            self.abort()
            await self._socket.wait_closed()
        await self._socket.close(hang_up.code, hang_up.reason)


def _reason(text: str) -> str:
    """Cut a close reason to the size of a close frame."""
    return text.encode()[:123].decode(errors="ignore")
