"""One fenced connection: an older one ends before anything is read, and nothing is sent twice.

Against a real server; a proxy between them loses replies where a test needs it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from services.buffer import connection as module
from services.buffer.connection import Connection, reaction
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
    """Make open connections of a role; all are closed at the end."""
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
    assert writer.one("PING") == b"PONG", "other users are left alone"
    with pytest.raises(Transient):
        first.one("PING")


def test_without_the_fence_the_older_connection_lives(
    opened: Callable[[str], Connection], redis_server: RedisServer
) -> None:
    first = opened("writer")
    looking = Connection(redis_server.url("writer"), Stopping())
    looking.open(fence=False)
    assert first.one("PING") == looking.one("PING") == b"PONG"
    looking.close()


def test_nothing_but_the_login_goes_before_the_fence(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        one = Connection(proxy.redirect(redis_server.url("ingester")), Stopping())
        one.open()
        one.close()
    before = proxy.commands[: proxy.commands.index(b"CLIENT KILL")]
    assert {command.split()[0] for command in before} <= {b"AUTH", b"CLIENT", b"SELECT"}


@pytest.mark.parametrize("user", ["", "default:secret@", ":secret@"])
def test_the_default_user_is_refused_with_the_mend(user: str) -> None:
    with pytest.raises(BrokenInvariant, match="name an ACL user of this daemon's own"):
        Connection(f"redis://{user}127.0.0.1/0", Stopping())


def test_a_wrong_password_is_for_a_person_to_mend(redis_server: RedisServer) -> None:
    url = redis_server.url("ingester").replace(redis_server.passwords["ingester"], "guessed")
    with pytest.raises(BrokenInvariant, match=r"refuses user 'ingester'.*users\.acl"):
        Connection(url, Stopping()).open()


def test_a_server_that_is_away_is_waited_for() -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        Connection(f"redis://ingester:x@127.0.0.1:{free_port()}/0", Stopping()).open()


def test_a_closed_connection_never_opens_by_itself(opened: Callable[[str], Connection]) -> None:
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


def test_a_server_that_speaks_another_protocol_is_not_trusted_and_not_fatal() -> None:
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
    """End a connection as a second process of the same user would."""
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as tools:
        tools.client_kill_filter(user="ingester")
    with pytest.raises(Transient):
        one.one("PING")


def test_three_losses_with_the_same_server_pause_and_a_stop_ends_the_pause(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONTENDED_PAUSE_SECONDS", 0.6)
    stopping = Stopping()
    one = Connection(redis_server.url("ingester"), stopping)
    took = []
    for _ in range(4):
        began = time.monotonic()
        one.open()
        took.append(time.monotonic() - began)
        lose(redis_server, one)
    assert took[3] >= 0.6, "three losses"
    assert max(took[:3]) < 0.6
    for _ in range(2):
        one.open()
        lose(redis_server, one)
    monkeypatch.setattr(module, "CONTENDED_PAUSE_SECONDS", 60.0)
    stopping.set()
    began = time.monotonic()
    one.open()
    assert time.monotonic() - began < 10
    one.close()


def test_losses_over_a_restart_of_the_server_are_no_contention(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONTENDED_PAUSE_SECONDS", 60.0)
    one = Connection(redis_server.url("ingester"), Stopping())
    began = time.monotonic()
    for _ in range(4):
        one.open()
        redis_server.kill()
        with pytest.raises(Transient):
            one.one("PING")
        redis_server.start()
    assert time.monotonic() - began < 60
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
def test_a_server_outgrows_some_refusals_and_not_others(reply: RedisError, kind: type) -> None:
    assert isinstance(reaction(reply), kind)
