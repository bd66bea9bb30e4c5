"""The proxy forwards bytes, unless a test cuts, stalls, slows or half-closes it or sets a trap."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from testing.harness.proxy import Action, CommandParser, Flow, Proxy, Trap
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.redis import RedisServer

SOON = 10.0
A_WHILE = 0.2


@pytest.fixture
def echo() -> Iterator[int]:
    """Give the port of a server that sends everything back."""
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
def proxy(echo: int) -> Iterator[Proxy]:
    """Give a proxy to it."""
    with Proxy(echo, parses_redis=False) as one:
        yield one


@pytest.fixture
def caller(proxy: Proxy) -> Iterator[socket.socket]:
    """Give a connection through the proxy that has been used."""
    with call(proxy) as one:
        one.sendall(b"hello")
        assert one.recv(100) == b"hello"
        yield one


def call(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON)


def received(caller: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (block := caller.recv(4096)):
        found += block
    return found


def test_a_cut_proxy_closes_its_connections_and_refuses_new_ones(proxy: Proxy, caller: socket.socket) -> None:
    proxy.set_flow(Flow.CUT)
    assert caller.recv(100) == b""
    with call(proxy) as another, contextlib.suppress(ConnectionResetError):
        assert another.recv(100) == b""
    proxy.set_flow(Flow.OPEN)
    assert proxy.hits[Flow.CUT] == 1
    with call(proxy) as another:
        another.sendall(b"again")
        assert another.recv(100) == b"again"


def test_a_stalled_proxy_holds_every_byte_back_until_it_is_open_again(
    proxy: Proxy, caller: socket.socket
) -> None:
    proxy.set_flow(Flow.STALLED)
    caller.sendall(b"late")
    wait_for(lambda: proxy.hits[Flow.STALLED], SOON, "a block held back")
    caller.settimeout(A_WHILE)
    with pytest.raises(TimeoutError):
        caller.recv(100)
    caller.settimeout(SOON)
    proxy.set_flow(Flow.OPEN)
    assert received(caller, 4) == b"late"


def test_a_bytewise_proxy_passes_every_byte(proxy: Proxy, caller: socket.socket) -> None:
    proxy.set_flow(Flow.BYTEWISE)
    caller.sendall(b"x" * 500)
    assert received(caller, 500) == b"x" * 500
    assert proxy.hits[Flow.BYTEWISE] >= 500


def test_a_half_open_connection_receives_nothing_and_stays_open(proxy: Proxy, caller: socket.socket) -> None:
    proxy.half_open()
    assert proxy.hits["half-open"] == 1
    caller.sendall(b"anybody?")
    caller.settimeout(A_WHILE)
    with pytest.raises(TimeoutError):
        caller.recv(100)
    with call(proxy) as another:
        another.sendall(b"sound")
        assert another.recv(100) == b"sound"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_commands_are_found_however_the_bytes_are_cut(size: int) -> None:
    sent = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nrpush\r\n$1\r\nk\r\n$6\r\n\r\n*1\r\n\r\n*1\r\n$4\r\nEXEC\r\n"
    parser = CommandParser()
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    found = [command for piece in pieces for command in parser.feed(piece)]
    assert [command.words for command in found] == [(b"MULTI",), (b"rpush", b"k", b"\r\n*1\r\n"), (b"EXEC",)]
    assert [command.name for command in found] == [b"MULTI", b"RPUSH", b"EXEC"]
    assert b"".join(command.raw for command in found) == sent


def push(client: Redis, element: str) -> None:
    with client.pipeline() as pipe:
        pipe.rpush("archive:buffer:posts", element)
        pipe.execute()


@pytest.mark.parametrize(
    ("action", "at_once", "in_the_end"),
    [
        (Action.LOSE_REPLY, [b"first", b"second"], [b"first", b"second"]),
        (Action.LOSE_COMMAND, [b"first"], [b"first"]),
        (Action.DELAY, [b"first"], [b"first", b"second"]),
    ],
)
def test_a_trap_acts_on_the_chosen_transaction_only(
    redis_server: RedisServer, action: Action, at_once: list[bytes], in_the_end: list[bytes]
) -> None:
    with Proxy(redis_server.port) as proxy, Redis.from_url(redis_server.url("tools")) as tools:
        trap = proxy.arm(Trap(b"archive:buffer:", 2, action))
        url = proxy.redirect(redis_server.url("tools"))
        with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
            push(client, "first")
            with pytest.raises(RedisConnectionError):
                push(client, "second")
        assert trap.sprung.wait(SOON)
        assert tools.lrange("archive:buffer:posts", 0, -1) == at_once
        proxy.release()
        assert tools.lrange("archive:buffer:posts", 0, -1) == in_the_end


def test_a_lost_reply_is_lost_once(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        proxy.lose_reply(b"RPUSH")
        with Redis.from_url(proxy.redirect(redis_server.url("tools")), retry=Retry(NoBackoff(), 0)) as client:
            with pytest.raises(RedisConnectionError):
                client.rpush("archive:buffer:posts", "first")
            assert client.rpush("archive:buffer:posts", "second") == 2
