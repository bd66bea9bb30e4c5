"""Stands between a daemon and Redis and springs a trap at a chosen EXEC: the moments a kill seldom hits."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

from testing.proof.mutants.resp import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

PING = b"*1\r\n$4\r\nPING\r\n"
PONG = b"+PONG\r\n"
AT_ONCE = 1 << 16


class Act(Enum):
    """What happens at the EXEC that a trap waits for; the connection is cut after all but the last."""

    LOSE_REPLY = auto()
    """Redis carries it out; nobody hears of it."""
    LOSE_EXEC = auto()
    """Redis never gets it."""
    HOLD = auto()
    """Redis gets it when `release` says so, on the connection that was cut at the daemon's side."""
    PASS = auto()
    """It only waits for what `then` does."""


@dataclass
class Trap:
    """Springs at the `nth` EXEC (from 1) of a transaction that has a key beginning with `touches`."""

    touches: bytes
    nth: int
    act: Act
    then: Callable[[], None] = lambda: None
    """Done while the daemon waits in vain: killing it, for example."""
    sprung: threading.Event = field(default_factory=threading.Event)

    def meets(self, keys: set[bytes]) -> bool:
        """Count a transaction; True when it is the one."""
        if self.sprung.is_set() or not any(key.startswith(self.touches) for key in keys):
            return False
        self.nth -= 1
        return self.nth == 0


class Proxy:
    """Listens on a port of its own; every connection is passed on to 127.0.0.1:`upstream`."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._traps: list[Trap] = []
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for held in self._held:
            held.close()

    def arm(self, trap: Trap) -> Trap:
        """Set a trap."""
        self._traps.append(trap)
        return trap

    def release(self) -> None:
        """Let Redis have every EXEC that was held; one whose connection is gone by now is lost."""
        for held in self._held:
            with contextlib.suppress(OSError):
                held.settimeout(5.0)
                held.sendall(b"*1\r\n$4\r\nEXEC\r\n" + PING)
                _read_until_pong(held)
            held.close()
        self._held.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            connection = _Connection(client, server, self._traps, self._held)
            threading.Thread(target=connection.forth, daemon=True).start()
            threading.Thread(target=connection.back, daemon=True).start()


class _Connection:
    def __init__(
        self, client: socket.socket, server: socket.socket, traps: list[Trap], held: list[socket.socket]
    ) -> None:
        self._client = client
        self._server = server
        self._traps = traps
        self._held = held
        self._deaf = threading.Event()
        self._answers = threading.Lock()

    def forth(self) -> None:
        """Pass on commands, one by one, until an end or a trap."""
        commands, keys = Commands(), set[bytes]()
        with contextlib.suppress(OSError):
            while more := self._client.recv(AT_ONCE):
                for command in commands.feed(more):
                    if command.name == b"MULTI":
                        keys = set()
                    elif len(command.words) > 1:
                        keys.add(command.words[1])
                    trap = self._met(keys) if command.name == b"EXEC" else None
                    if trap is None:
                        self._server.sendall(command.raw)
                    elif not self._spring(trap, command.raw):
                        return
        self._end()

    def back(self) -> None:
        """Pass on replies until an end; none once a trap has sprung."""
        with contextlib.suppress(OSError):
            while True:
                more = self._server.recv(AT_ONCE, socket.MSG_PEEK)
                with self._answers:
                    if not more or self._deaf.is_set():
                        break
                    self._client.sendall(self._server.recv(len(more)))
        if not self._deaf.is_set():
            self._end()

    def _met(self, keys: set[bytes]) -> Trap | None:
        return next((trap for trap in list(self._traps) if trap.meets(keys)), None)

    def _spring(self, trap: Trap, execute: bytes) -> bool:
        """Do what the trap says; True when the connection goes on."""
        if trap.act is Act.PASS:
            trap.then()
            self._server.sendall(execute)
            trap.sprung.set()
            return True
        with self._answers:
            self._deaf.set()
            if trap.act is Act.LOSE_REPLY:
                # The answer to a PING behind it proves that it was carried out.
                self._server.sendall(execute + PING)
                _read_until_pong(self._server)
        trap.then()
        if trap.act is Act.HOLD:
            self._held.append(self._server)
            self._client.close()
        else:
            self._end()
        trap.sprung.set()
        return False

    def _end(self) -> None:
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _read_until_pong(server: socket.socket) -> None:
    heard = b""
    while not heard.endswith(PONG):
        more = server.recv(AT_ONCE)
        if not more:
            return
        heard += more
