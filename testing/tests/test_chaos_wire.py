"""A wire passes bytes on, unless it is told otherwise."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from testing.harness.waiting import wait_for
from testing.proof.chaos.wire import State, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 10.0
A_WHILE = 0.2


@pytest.fixture
def echo() -> Iterator[int]:
    """Give the port of a server that says everything again."""
    listener = socket.create_server(("127.0.0.1", 0))

    def repeat(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            while block := client.recv(4096):
                client.sendall(block)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=repeat, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def wire(echo: int) -> Iterator[Wire]:
    """Give a wire to it."""
    with Wire(echo) as one:
        yield one


@pytest.fixture
def caller(wire: Wire) -> Iterator[socket.socket]:
    """Give a connection through the wire that has been used."""
    with call(wire) as one:
        one.sendall(b"hello")
        assert one.recv(100) == b"hello"
        yield one


def call(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=SOON)


def heard(caller: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (block := caller.recv(4096)):
        found += block
    return found


def test_a_cut_wire_ends_its_connections_and_lets_no_other_through(wire: Wire, caller: socket.socket) -> None:
    wire.be(State.CUT)
    assert caller.recv(100) == b""
    with call(wire) as another, contextlib.suppress(ConnectionResetError):
        assert another.recv(100) == b""
    wire.be(State.OPEN)
    assert wire.hits[State.CUT] == 1
    with call(wire) as another:
        another.sendall(b"again")
        assert another.recv(100) == b"again"


def test_a_stalled_wire_holds_everything_back_until_it_flows_again(wire: Wire, caller: socket.socket) -> None:
    wire.be(State.STALLED)
    caller.sendall(b"late")
    wait_for(lambda: wire.hits[State.STALLED], SOON, "a block held back")
    caller.settimeout(A_WHILE)
    with pytest.raises(TimeoutError):
        caller.recv(100)
    caller.settimeout(SOON)
    wire.be(State.OPEN)
    assert heard(caller, 4) == b"late"


def test_bytes_pass_one_by_one_and_all(wire: Wire, caller: socket.socket) -> None:
    wire.be(State.BYTEWISE)
    caller.sendall(b"x" * 500)
    assert heard(caller, 500) == b"x" * 500
    assert wire.hits[State.BYTEWISE] >= 500


def test_a_half_open_connection_says_nothing_and_does_not_end(wire: Wire, caller: socket.socket) -> None:
    wire.half_open()
    assert wire.hits["half-open"] == 1
    caller.sendall(b"anybody?")
    caller.settimeout(A_WHILE)
    with pytest.raises(TimeoutError):
        caller.recv(100)
    with call(wire) as another:
        another.sendall(b"sound")
        assert another.recv(100) == b"sound"


def test_the_answer_to_a_word_is_swallowed_once(wire: Wire, caller: socket.socket) -> None:
    wire.swallow(b"RENAMENX")
    caller.sendall(b"RENAMENX a b")
    assert caller.recv(100) == b""
    assert wire.hits["swallowed"] == 1
    with call(wire) as another:
        another.sendall(b"RENAMENX a b")
        assert another.recv(100) == b"RENAMENX a b"
