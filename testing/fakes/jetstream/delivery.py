"""Writes frames to one client: filtered, compressed, with planted and repeated frames."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.asyncio.server import ServerConnection

    from testing.fakes.jetstream.faults import Faults, HangUp
    from testing.fakes.jetstream.store import Store
    from testing.fakes.jetstream.subscription import ConnectionRecord, Subscription

_REPEATABLE = 10_000
"""Number of sent frames that a connection can repeat."""
_DID = re.compile(rb'"did":"([^"]*)"')
_COLLECTION = re.compile(rb'"kind":"commit".*?"collection":"([^"]*)"')


class Delivery:
    """Writes frames to one socket until a hang-up is due."""

    def __init__(
        self,
        socket: ServerConnection,
        request: Subscription,
        record: ConnectionRecord,
        store: Store,
        faults: Faults,
    ) -> None:
        self.filters = request.filters
        self.repeats = 0
        """Number of the last frames to send again."""
        self.hang_up: HangUp | None = None
        """Nothing more is written once this is set."""
        self._socket = socket
        self._record = record
        self._store = store
        self._faults = faults
        self._compressor = _compressor(store) if request.compress else None
        self._planted = (-1, 0)
        self._recent: deque[tuple[bytes, bool]] = deque(maxlen=_REPEATABLE)

    async def send(self, batch: Iterable[int], planted_at: int | None = None) -> None:
        """Send events, each after the frames planted before it, then those planted at `planted_at`.

        Waits while the socket's buffer is full; raises ConnectionClosed.
        """
        async with self._socket.send_context():
            self._repeat()
            for i in batch:
                self._write_planted(i)
                self._write_event(i)
                if self.hang_up is not None:
                    return
            if planted_at is not None:
                self._write_planted(planted_at)

    def pass_over_planted(self, i: int) -> None:
        """Skip the frames planted before event i: they are older than the cursor."""
        self._planted = (i, len(self._store.plants.get(i, ())))

    def _repeat(self) -> None:
        if not self.repeats:
            return
        again = list(self._recent)[-self.repeats :]
        self.repeats = 0
        self._faults.fired["repeat"] += len(again)
        for payload, binary in again:
            self._write(payload, binary=binary)

    def _write_planted(self, i: int) -> None:
        plants = self._store.plants.get(i)
        if not plants:
            return
        done = self._planted[1] if self._planted[0] == i else 0
        self._planted = (i, len(plants))
        for payload, binary in plants[done:]:
            compressed = self._compressor is not None and not binary
            sent = self._compressed(payload) if compressed else payload
            if self.filters.max_bytes and len(sent) > self.filters.max_bytes:
                continue
            self._faults.fired["plant"] += 1
            self._write(sent, binary=binary or compressed)

    def _write_event(self, i: int) -> None:
        frame = self._store.frame(i)
        filters, blinded = self.filters, self._faults.blinded
        if blinded or filters.collections or filters.prefixes or filters.dids:
            did, collection = _about(frame)
            if not filters.match(did, collection):
                return
            if blinded and collection is not None and blinded.match("", collection):
                self._faults.fired["blind"] += 1
                return
        sent = self._compressed(frame)
        measured = sent if self._store.view.kind == "v1" else frame
        if filters.max_bytes and len(measured) > filters.max_bytes:
            return
        self._write(sent, binary=self._compressor is not None)

    def _compressed(self, frame: bytes) -> bytes:
        return self._compressor.compress(frame) if self._compressor else frame

    def _write(self, payload: bytes, *, binary: bool) -> None:
        if self.hang_up is not None or self._socket.transport.is_closing():
            return
        if binary:
            self._socket.protocol.send_binary(payload)
        else:
            self._socket.protocol.send_text(payload)
        self._recent.append((payload, binary))
        self._record.sent += 1
        self.hang_up = self._faults.take_hang_up()


def _about(frame: bytes) -> tuple[str, str | None]:
    """Return DID and collection of a frame without parsing it: the envelope's keys precede the record's."""
    did, collection = _DID.search(frame), _COLLECTION.search(frame)
    return did[1].decode() if did else "", collection[1].decode() if collection else None


def _compressor(store: Store) -> zstandard.ZstdCompressor:
    path = store.options.zstd_dictionary
    assert path is not None, "the server refuses compress=true without a dictionary"
    return zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(path.read_bytes()))
