"""A piece of network between a daemon and what it speaks to: cut, stalled, slow or half-open at will."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from enum import StrEnum, auto
from typing import Self

AT_ONCE = 1 << 16
PATIENCE_SECONDS = 10.0


class State(StrEnum):
    """How a wire passes bytes on."""

    OPEN = auto()
    CUT = auto()
    """Every connection is closed, and no other is let through."""
    STALLED = auto()
    """Connections stay open, new ones too; nothing passes in either direction."""
    BYTEWISE = auto()
    """One byte in a packet."""


class Wire:
    """Listens on a port of its own; every connection is passed on to 127.0.0.1:`upstream`."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.hits: Counter[State | str] = Counter()
        """Connections cut or made deaf, blocks held back, bytes passed alone, replies swallowed."""
        self._state = State.OPEN
        self._flows = threading.Event()
        self._flows.set()
        self._swallow = b""
        self._live: set[_Pair] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        for pair in list(self._live):
            pair.close()

    @property
    def live(self) -> int:
        """Connections that pass bytes."""
        return len(self._live)

    def be(self, state: State) -> None:
        """Change how bytes pass."""
        self._state = state
        if state is State.STALLED:
            self._flows.clear()
        else:
            self._flows.set()
        if state is State.CUT:
            for pair in list(self._live):
                self.hits[state] += 1
                pair.close()

    def half_open(self) -> None:
        """Let every connection die on the far side, without this side's noticing; new ones are sound."""
        for pair in list(self._live):
            pair.deafen()
            self._live.discard(pair)
            self.hits["half-open"] += 1

    def swallow(self, word: bytes) -> None:
        """Cut the next connection on which `word` is said, when the answer to it has come."""
        self._swallow = word

    def passes(self, block: bytes) -> bool:
        """Wait until bytes may pass; True if they go one by one."""
        if not self._flows.is_set():
            self.hits[State.STALLED] += 1
            self._flows.wait()
        if self._state is State.BYTEWISE:
            self.hits[State.BYTEWISE] += len(block)
        return self._state is State.BYTEWISE

    def is_awaited(self, block: bytes) -> bool:
        """Whether the answer to this block is to be swallowed; once."""
        met = bool(self._swallow) and self._swallow in block
        if met:
            self._swallow = b""
        return met

    def ended(self, pair: _Pair) -> None:
        """Forget a connection."""
        self._live.discard(pair)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._state is State.CUT:
                    raise ConnectionError("cut")
                far = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(self, near, far)
            self._live.add(pair)
            pair.start()


class _Pair:
    """One connection: the near side is the daemon's."""

    def __init__(self, wire: Wire, near: socket.socket, far: socket.socket) -> None:
        self._wire = wire
        self._near = near
        self._far = far
        self._is_deaf = False
        self._swallows = False

    def start(self) -> None:
        for pump in (self._forth, self._back):
            threading.Thread(target=pump, daemon=True).start()

    def close(self) -> None:
        self._wire.ended(self)
        for one in (self._near, self._far):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def deafen(self) -> None:
        """Close the far side only; whatever the near side says from now on goes nowhere."""
        self._is_deaf = True
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_RDWR)
        self._far.close()

    def _forth(self) -> None:
        with contextlib.suppress(OSError):
            while block := self._near.recv(AT_ONCE):
                if self._is_deaf:
                    continue
                self._swallows = self._swallows or self._wire.is_awaited(block)
                with contextlib.suppress(OSError):
                    self._send(self._far, block)
        self.close()

    def _back(self) -> None:
        with contextlib.suppress(OSError):
            while block := self._far.recv(AT_ONCE):
                if self._swallows:
                    self._wire.hits["swallowed"] += 1
                    break
                self._send(self._near, block)
        if not self._is_deaf:
            self.close()

    def _send(self, to: socket.socket, block: bytes) -> None:
        if not self._wire.passes(block):
            to.sendall(block)
            return
        for at in range(len(block)):
            to.sendall(block[at : at + 1])
