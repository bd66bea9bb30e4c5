"""One client's connection: replay, cutover, live tail, and the lies told to it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import zstandard
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from testing.fake_jetstream.lies import ABORT, HangUp, Lies
from testing.fake_jetstream.subscription import Refused, Subscription, parse_hello

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.asyncio.server import ServerConnection

    from testing.fake_jetstream.store import Start, Store

_BATCH = 128
_REMEMBERED = 10_000
"""How many sent frames a connection can repeat."""
_POLL_S = 0.02
"""How often an idle connection looks for commands."""
_LEAST_PAUSE_S = 0.005
_LINGER_S = 1.0
_DID = re.compile(rb'"did":"([^"]*)"')
_COLLECTION = re.compile(rb'"kind":"commit".*?"collection":"([^"]*)"')


@dataclass(slots=True)
class Connection:
    """What a client asked for and what it got, for tests to read."""

    path: str
    query: dict[str, list[str]]
    refused: int | None = None
    """The HTTP status it was turned away with."""
    sent: int = 0
    """Frames, planted and repeated ones included."""
    close_code: int | None = None
    """1006 where there was no close frame; None while open."""
    caught_up: bool = False
    """It has reached the live tail at some time."""
    dropped: list[int] = field(default_factory=list)
    """Events that a cutover kept from it."""
    late: list[int] = field(default_factory=list)
    """Events that a cutover sent it out of order."""

    @property
    def cursor(self) -> str | None:
        """The cursor as it was sent."""
        return self.query.get("cursor", [None])[0]


class Subscriber:
    """Drives one connection until it ends."""

    def __init__(
        self, socket: ServerConnection, asked: Subscription, record: Connection, store: Store, lies: Lies
    ) -> None:
        self.record = record
        self.repeats = 0
        self._socket = socket
        self._store = store
        self._lies = lies
        self._filters = asked.filters
        self._cursor = asked.cursor
        self._hello = asyncio.Event()
        if not asked.require_hello:
            self._hello.set()
        self._compressor = _compressor(store) if asked.compress else None
        self._position = 0
        self._live = False
        self._planted = (-1, 0)
        self._recent: deque[tuple[bytes, bool]] = deque(maxlen=_REMEMBERED)
        self._hang_up: HangUp | None = None

    async def run(self) -> None:
        """Send until the client, a lie or the server ends the connection."""
        self._lies.subscribers.add(self)
        duties = [asyncio.create_task(duty()) for duty in (self._read, self._watch_outbox)]
        try:
            if self._lies.take_mute():
                await self._socket.wait_closed()
            await self._hello.wait()
            await self._replay(self._store.start(self._cursor))
            await self._follow()
        except ConnectionClosed:
            pass
        finally:
            self._lies.subscribers.discard(self)
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)

    def hang_up(self, code: int, reason: str) -> None:
        """End the connection: at once without a close frame, or with one before the next batch."""
        if code == ABORT:
            self.abort()
        else:
            self._hang_up = HangUp(code, reason, 0)

    def abort(self) -> None:
        """Cut the socket."""
        self._socket.transport.abort()

    async def _read(self) -> None:
        """Obey options_update messages; close as each kind of server does on a bad one."""
        v1 = self._store.view.kind == "v1"
        try:
            await self._obey_messages(v1=v1)
        finally:
            # A client that left before its hello is noticed by the next send.
            self._hello.set()

    async def _obey_messages(self, *, v1: bool) -> None:
        async for message in self._socket:
            if isinstance(message, bytes):
                continue
            try:
                filters = parse_hello(json.loads(message), self._store.view.kind)
            except (ValueError, TypeError, AttributeError) as error:
                text = f"failed to unmarshal subscriber sourced message: {error}"
                return await self._socket.close(1000 if v1 else 1007, text[:123])
            except Refused as error:
                text = f"failed to parse subscriber options: {error.text}"
                return await self._socket.close(1000 if v1 else 1008, text[:123])
            if filters is not None:
                self._filters = filters
                self._hello.set()
        return None

    async def _watch_outbox(self) -> None:
        """Cut off a live client that falls too far behind, as v1 does when its outbox is full."""
        limit = self._store.options.outbox if self._store.view.kind == "v1" else None
        while limit is not None:
            await asyncio.sleep(_POLL_S)
            if self._live and self._store.tip() - self._position > limit:
                self._lies.fired["overflow"] += 1
                self.abort()
                return

    async def _replay(self, start: Start) -> None:
        if start.live:
            self._position = start.tip
            return
        settled = self._store.settled()
        await self._send(self._store.replayed(start, settled))
        self._position = settled
        while self._position < (settled := self._store.settled()):
            await self._send(i for i in range(self._position, settled) if self._store.admits(start, i))
            self._position = settled
        tip = self._store.tip()
        window = (i for i in range(self._position, tip) if self._store.admits(start, i))
        kept, late, dropped = self._lies.spoil(window)
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
                await self._send_batch((), planted_at=self._position)
                pause = self._store.wait_s(self._position)
                await asyncio.sleep(min(max(pause, _LEAST_PAUSE_S), _POLL_S))

    async def _send(self, events: Iterable[int]) -> None:
        source = iter(events)
        while batch := list(islice(source, _BATCH)):
            await self._send_batch(batch)

    async def _send_batch(self, batch: Iterable[int], *, planted_at: int | None = None) -> None:
        await self._wait_out_silence()
        async with self._socket.send_context():
            self._repeat()
            for i in batch:
                self._write_planted(i)
                self._write_event(i)
                if self._hang_up is not None:
                    break
            if planted_at is not None:
                self._write_planted(planted_at)
        if self._hang_up is not None:
            await self._end(self._hang_up)
        # A drained send does not yield by itself, and pings must be answered.
        await asyncio.sleep(0)

    async def _wait_out_silence(self) -> None:
        if not self._lies.silent:
            return
        self._lies.fired["silence"] += 1
        self._live = False
        while self._lies.silent and self._hang_up is None and self._socket.state is State.OPEN:  # noqa: ASYNC110 - three ends
            await asyncio.sleep(_POLL_S)

    async def _end(self, hang_up: HangUp) -> None:
        if hang_up.code == ABORT:
            # What was sent before should arrive, unless the client has stopped reading.
            deadline = time.monotonic() + _LINGER_S
            while self._socket.transport.get_write_buffer_size() and time.monotonic() < deadline:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)
            self.abort()
            await self._socket.wait_closed()
        await self._socket.close(hang_up.code, hang_up.reason)

    def _repeat(self) -> None:
        if not self.repeats:
            return
        again = list(self._recent)[-self.repeats :]
        self.repeats = 0
        self._lies.fired["repeat"] += len(again)
        for payload, binary in again:
            self._write(payload, binary=binary)

    def _write_planted(self, i: int) -> None:
        plants = self._store.plants.get(i)
        if not plants:
            return
        done = self._planted[1] if self._planted[0] == i else 0
        self._planted = (i, len(plants))
        for payload, binary in plants[done:]:
            self._lies.fired["plant"] += 1
            compressed = self._compressor.compress(payload) if self._compressor and not binary else None
            self._write(compressed or payload, binary=binary or compressed is not None)

    def _write_event(self, i: int) -> None:
        frame = self._store.frame(i)
        filters, blindness = self._filters, self._lies.blindness
        if blindness or filters.collections or filters.prefixes or filters.dids:
            did, collection = _about(frame)
            if not filters.match(did, collection):
                return
            if blindness and collection is not None and blindness.match("", collection):
                self._lies.fired["blind"] += 1
                return
        sent = self._compressor.compress(frame) if self._compressor else frame
        measured = sent if self._store.view.kind == "v1" else frame
        if filters.max_bytes and len(measured) > filters.max_bytes:
            return
        self._write(sent, binary=self._compressor is not None)

    def _write(self, payload: bytes, *, binary: bool) -> None:
        if self._hang_up is not None:
            return
        if binary:
            self._socket.protocol.send_binary(payload)
        else:
            self._socket.protocol.send_text(payload)
        self._recent.append((payload, binary))
        self.record.sent += 1
        self._hang_up = self._lies.take_hang_up()


def _about(frame: bytes) -> tuple[str, str | None]:
    """Return DID and collection of a frame unparsed: the envelope's keys come before the record's."""
    did, collection = _DID.search(frame), _COLLECTION.search(frame)
    return did[1].decode() if did else "", collection[1].decode() if collection else None


def _compressor(store: Store) -> zstandard.ZstdCompressor:
    path = store.options.zstd_dictionary
    assert path is not None, "the server refuses compress=true without a dictionary"
    return zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(path.read_bytes()))
