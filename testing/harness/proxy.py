"""A TCP proxy between a daemon and its server: cuts, stalls, slows or half-closes connections.

In front of Redis it parses commands, and at a chosen one loses the command, loses its reply or delays it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

PING = b"*1\r\n$4\r\nPING\r\n"
PONG = b"+PONG\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"
BLOCK_BYTES = 1 << 16
HALF_OPEN = "half-open"


class Flow(StrEnum):
    """How bytes pass."""

    OPEN = auto()
    CUT = auto()
    """Every connection is closed, and new ones are refused."""
    STALLED = auto()
    """Connections stay open and new ones are accepted; no byte passes in either direction."""
    BYTEWISE = auto()
    """Every packet holds one byte."""


class Action(Enum):
    """What happens to the command that a trap waits for; the connection is closed after all but PASS."""

    LOSE_REPLY = auto()
    """Redis runs the command; the client gets no reply."""
    LOSE_COMMAND = auto()
    """Redis never gets the command."""
    DELAY = auto()
    """Redis gets the command, which must be EXEC, when `release` is called; the client is cut off at once."""
    PASS = auto()
    """Redis gets the command after `then` has returned."""


@dataclass
class Trap:
    """Acts on the `nth` (from 1) `command` on a key that begins with `touches`.

    The keys of EXEC are those of its transaction. Within a MULTI only EXEC can be trapped.
    """

    touches: bytes
    nth: int
    action: Action
    then: Callable[[], None] = lambda: None
    """Called while the client waits for the reply: to kill it, for example."""
    command: bytes = b"EXEC"
    sprung: threading.Event = field(default_factory=threading.Event)

    def matches(self, command: Command, keys: set[bytes]) -> bool:
        """Count a command and the keys it touches; returns whether it is the one."""
        if self.sprung.is_set() or command.name != self.command:
            return False
        if not any(key.startswith(self.touches) for key in keys):
            return False
        self.nth -= 1
        return self.nth == 0


class Command(NamedTuple):
    """One Redis command as it was sent."""

    words: tuple[bytes, ...]
    raw: bytes

    @property
    def name(self) -> bytes:
        """The command's name in capitals."""
        return self.words[0].upper()


class CommandParser:
    """Collects bytes and returns the complete commands."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, more: bytes) -> list[Command]:
        """Add bytes; returns the commands that are complete. Raises ValueError for inline commands."""
        self._bytes += more
        found = []
        while (command := self._next()) is not None:
            found.append(command)
        return found

    def _next(self) -> Command | None:
        header = self._number(0, b"*")
        if header is None:
            return None
        count, at = header
        words = []
        for _ in range(count):
            size = self._number(at, b"$")
            if size is None or len(self._bytes) < size[1] + size[0] + 2:
                return None
            words.append(bytes(self._bytes[size[1] : size[1] + size[0]]))
            at = size[1] + size[0] + 2
        raw = bytes(self._bytes[:at])
        del self._bytes[:at]
        return Command(tuple(words), raw)

    def _number(self, at: int, kind: bytes) -> tuple[int, int] | None:
        """Return the number in the line that begins at `at`, and where the next line begins."""
        end = self._bytes.find(b"\r\n", at)
        if end < 0:
            return None
        if self._bytes[at : at + 1] != kind:
            raise ValueError(f"no {kind!r} in {bytes(self._bytes[at : at + 20])!r}")
        return int(self._bytes[at + 1 : end]), end + 2


class Proxy:
    """Listens on its own port and forwards every connection to 127.0.0.1:`upstream`."""

    def __init__(self, upstream: int, *, parses_redis: bool = True) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.hits: Counter[str] = Counter()
        """By flow (and `half-open`): connections closed or half-closed, blocks held back, single bytes."""
        self.commands: list[bytes] = []
        """The first two words of every command of all clients."""
        self.parses_redis = parses_redis
        self._flow = Flow.OPEN
        self._flowing = threading.Event()
        self._flowing.set()
        self._traps: list[Trap] = []
        self._delayed: list[socket.socket] = []
        self._live: set[_Connection] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flowing.set()
        for connection in list(self._live):
            connection.close()
        for server in self._delayed:
            server.close()

    @property
    def live(self) -> int:
        """The number of connections that pass bytes."""
        return len(self._live)

    def redirect(self, url: str) -> str:
        """Return the address of the server by way of this proxy."""
        return url.replace(f":{self._upstream}", f":{self.port}")

    def set_flow(self, flow: Flow) -> None:
        """Change how bytes pass, on open connections too."""
        self._flow = flow
        if flow is Flow.STALLED:
            self._flowing.clear()
        else:
            self._flowing.set()
        if flow is Flow.CUT:
            for connection in list(self._live):
                self.hits[flow] += 1
                connection.close()

    def half_open(self) -> None:
        """Close the server's side of every connection; the clients' sides stay open, new ones pass."""
        for connection in list(self._live):
            connection.half_open()
            self.hits[HALF_OPEN] += 1

    def arm(self, trap: Trap) -> Trap:
        """Set a trap; returns it."""
        self._traps.append(trap)
        return trap

    def lose_reply(self, command: bytes) -> Trap:
        """Lose the reply to the next such command, and the connection."""
        return self.arm(Trap(b"", 1, Action.LOSE_REPLY, command=command))

    def release(self) -> None:
        """Send every delayed EXEC to Redis; one whose connection Redis has closed is lost."""
        for server in self._delayed:
            with contextlib.suppress(OSError):
                server.settimeout(5.0)
                server.sendall(EXEC + PING)
                _read_until_pong(server)
            server.close()
        self._delayed.clear()

    def delay(self, server: socket.socket) -> None:
        """Keep a connection to Redis on which only EXEC is missing."""
        self._delayed.append(server)

    def trap_of(self, command: Command, keys: set[bytes]) -> Trap | None:
        """Return the trap that acts on this command, if any."""
        self.commands.append(b" ".join(command.words[:2]))
        return next((trap for trap in list(self._traps) if trap.matches(command, keys)), None)

    def wait_flowing(self, block: bytes) -> bool:
        """Wait until a block may pass; returns whether it passes byte by byte."""
        if not self._flowing.is_set():
            self.hits[Flow.STALLED] += 1
            self._flowing.wait()
        if self._flow is Flow.BYTEWISE:
            self.hits[Flow.BYTEWISE] += len(block)
        return self._flow is Flow.BYTEWISE

    def remove(self, connection: _Connection) -> None:
        """Count a connection as closed."""
        self._live.discard(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._flow is Flow.CUT:
                    raise ConnectionError("cut")
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, client, server)
            self._live.add(connection)
            for pump in (connection.forward, connection.back):
                threading.Thread(target=pump, daemon=True).start()


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_half_open = False
        self._replies_end = threading.Event()
        self._replying = threading.Lock()

    def close(self) -> None:
        self._proxy.remove(self)
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def half_open(self) -> None:
        """Close the server's side; what the client sends from now on is discarded."""
        self._proxy.remove(self)
        self._is_half_open = True
        self._replies_end.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def forward(self) -> None:
        """Forward what the client sends, until an end or a trap."""
        parser, keys = CommandParser(), set[bytes]()
        with contextlib.suppress(OSError):
            while block := self._client.recv(BLOCK_BYTES):
                if self._is_half_open:
                    continue
                if not self._proxy.parses_redis:
                    self._send_to_server(block)
                    continue
                for command in parser.feed(block):
                    if command.name == b"MULTI":
                        keys = set()
                    keys.update(command.words[1:2])
                    touched = keys if command.name == b"EXEC" else set(command.words[1:2])
                    trap = self._proxy.trap_of(command, touched)
                    if trap is None:
                        self._send_to_server(command.raw)
                    elif not self._spring(trap, command.raw):
                        return
        self.close()

    def back(self) -> None:
        """Forward what the server sends, until an end or a trap."""
        with contextlib.suppress(OSError):
            # Without consuming it: on a delayed connection the replies are for `release`.
            while block := self._server.recv(BLOCK_BYTES, socket.MSG_PEEK):
                is_bytewise = self._proxy.wait_flowing(block)
                with self._replying:
                    if self._replies_end.is_set():
                        break
                    _send(self._client, self._server.recv(len(block)), is_bytewise=is_bytewise)
        if not self._replies_end.is_set():
            self.close()

    def _send_to_server(self, block: bytes) -> None:
        # When the server has closed, `back` ends the connection; a half-open one goes on.
        with contextlib.suppress(OSError):
            _send(self._server, block, is_bytewise=self._proxy.wait_flowing(block))

    def _spring(self, trap: Trap, command: bytes) -> bool:
        """Do what the trap says; returns whether the connection goes on."""
        if trap.action is Action.PASS:
            trap.then()
            self._server.sendall(command)
            trap.sprung.set()
            return True
        with self._replying:
            self._replies_end.set()
            if trap.action is Action.LOSE_REPLY:
                # The reply to a PING behind the command proves that the command has run.
                self._server.sendall(command + PING)
                _read_until_pong(self._server)
        trap.then()
        if trap.action is Action.DELAY:
            self._proxy.remove(self)
            self._proxy.delay(self._server)
            self._client.close()
        else:
            self.close()
        trap.sprung.set()
        return False


def _send(target: socket.socket, block: bytes, *, is_bytewise: bool) -> None:
    if not is_bytewise:
        target.sendall(block)
        return
    for at in range(len(block)):
        target.sendall(block[at : at + 1])


def _read_until_pong(server: socket.socket) -> None:
    received = b""
    while not received.endswith(PONG):
        more = server.recv(BLOCK_BYTES)
        if not more:
            return
        received += more
