"""A fenced connection ends the older ones before it reads, and sends nothing twice.

Against a real server; where a test needs it, a proxy between them drops replies.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from services.buffer.connection import CONTENDED_PAUSE_SECONDS, Connection, reaction
from services.shared.errors import BrokenInvariant, Transient
from services.shared.lifecycle import Stopping
from testing.harness.proxy import Proxy
from testing.harness.redis import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis.exceptions import RedisError

from redis import Redis, exceptions


@pytest.fixture
def opened(redis_server: RedisServer) -> Iterator[Callable[[str], Connection]]:
    """Return a function that opens a connection of a user; all are closed at the end."""
    made: list[Connection] = []

    def make(user: str) -> Connection:
        made.append(Connection(redis_server.url(user), Stopping()))
        made[-1].open()
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_second_connection_of_a_user_ends_the_first(opened: Callable[[str], Connection]) -> None:
    writer, first, second = opened("writer"), opened("ingester"), opened("ingester")
    assert second.one("PING") == b"PONG"
    assert writer.one("PING") == b"PONG", "connections of other users stay open"
    with pytest.raises(Transient):
        first.one("PING")


def test_without_the_fence_the_older_connection_stays_open(
    opened: Callable[[str], Connection], redis_server: RedisServer
) -> None:
    first = opened("writer")
    reader = Connection(redis_server.url("writer"), Stopping())
    reader.open(fence=False)
    assert first.one("PING") == reader.one("PING") == b"PONG"
    reader.close()


def test_only_the_login_is_sent_before_the_fence(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        one = Connection(proxy.redirect(redis_server.url("ingester")), Stopping())
        one.open()
        one.close()
    before = proxy.commands[: proxy.commands.index(b"CLIENT KILL")]
    assert {command.split()[0] for command in before} <= {b"AUTH", b"CLIENT", b"SELECT"}


@pytest.mark.parametrize("user", ["", "default:secret@", ":secret@"])
def test_the_default_user_is_refused_with_the_remedy(user: str) -> None:
    with pytest.raises(BrokenInvariant, match="name an ACL user of this daemon's own"):
        Connection(f"redis://{user}127.0.0.1/0", Stopping())


def test_a_wrong_password_stops_the_daemon_with_the_remedy(redis_server: RedisServer) -> None:
    url = redis_server.url("ingester").replace(redis_server.passwords["ingester"], "guessed")
    with pytest.raises(BrokenInvariant, match=r"refuses user 'ingester'.*users\.acl"):
        Connection(url, Stopping()).open()


def test_an_unreachable_server_is_transient() -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        Connection(f"redis://ingester:x@127.0.0.1:{free_port()}/0", Stopping()).open()


def test_a_closed_connection_is_not_reopened_by_a_command(opened: Callable[[str], Connection]) -> None:
    one = opened("ingester")
    one.close()
    with pytest.raises(Transient, match="closed"):
        one.one("PING")


def test_a_server_killed_between_two_commands_is_a_lost_connection(
    opened: Callable[[str], Connection], redis_server: RedisServer
) -> None:
    one = opened("ingester")
    before = one.run_id
    redis_server.kill()
    with pytest.raises(Transient):
        one.one("PING")
    redis_server.start()
    one.open()
    assert one.run_id not in ("", before)


def test_a_server_that_speaks_another_protocol_raises_one_of_our_errors() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def impostor() -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            while data := client.recv(65536):
                wrong = b"HTTP/1.1 400 Bad Request\r\n\r\n" if b"KILL" in data else b"+OK\r\n"
                client.sendall(wrong)

    thread = threading.Thread(target=impostor, daemon=True)
    thread.start()
    one = Connection(f"redis://ingester:x@127.0.0.1:{listener.getsockname()[1]}/0", Stopping())
    try:
        with pytest.raises((Transient, BrokenInvariant)):
            one.open()
    finally:
        one.close()
        listener.close()
        thread.join(10)


def lose(redis_server: RedisServer, one: Connection) -> None:
    """Kill a connection, as a second process of the same user does."""
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as tools:
        tools.client_kill_filter(user="ingester")
    with pytest.raises(Transient):
        one.one("PING")


class RecordingStopping(Stopping):
    """Records each pause and whether a stop ended it; does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[tuple[float, bool]] = []

    def sleep(self, seconds: float) -> bool:
        """Record the pause; return True if stopping."""
        stopped = super().sleep(0)
        self.pauses.append((seconds, stopped))
        return stopped


def test_the_fourth_open_after_three_losses_pauses_until_a_stop(redis_server: RedisServer) -> None:
    stopping = RecordingStopping()
    one = Connection(redis_server.url("ingester"), stopping)
    pauses = []
    for _ in range(4):
        one.open()
        pauses.append(len(stopping.pauses))
        lose(redis_server, one)
    assert pauses == [0, 0, 0, 1]
    for _ in range(2):
        one.open()
        lose(redis_server, one)
    stopping.set()
    one.open()
    assert stopping.pauses == [(CONTENDED_PAUSE_SECONDS, False), (CONTENDED_PAUSE_SECONDS, True)]
    one.close()


def test_losses_across_restarts_of_the_server_are_not_contention(redis_server: RedisServer) -> None:
    stopping = RecordingStopping()
    one = Connection(redis_server.url("ingester"), stopping)
    for _ in range(4):
        one.open()
        redis_server.kill()
        with pytest.raises(Transient):
            one.one("PING")
        redis_server.start()
    assert stopping.pauses == []
    one.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"), Transient),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), Transient),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), Transient),
        (exceptions.ExecAbortError("Transaction discarded"), Transient),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), Transient),
        (exceptions.ResponseError("LOADING Redis is loading"), Transient),
        (exceptions.ResponseError("BUSY Redis is busy running a script"), Transient),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), BrokenInvariant),
        (exceptions.NoPermissionError("this user has no permissions"), BrokenInvariant),
        (exceptions.ResponseError("unknown command"), BrokenInvariant),
    ],
)
def test_error_replies_that_end_by_themselves_are_transient(reply: RedisError, kind: type) -> None:
    assert isinstance(reaction(reply), kind)
