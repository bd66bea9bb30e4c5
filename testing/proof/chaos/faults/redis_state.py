"""A Redis that answers and refuses: still loading, read-only, or full."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from testing.harness.redis import free_port
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.world import PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from testing.proof.chaos.plan import Fault

PROBE = "chaos:probe"
PADDING = 4000
"""Commands in the append-only file; while it loads Redis answers once in about a thousand."""


def loading(world: World, fault: Fault) -> None:
    """Restart Redis on a file that takes it so many seconds to load; ask it meanwhile."""
    server = world.pipeline.redis
    with world.tools() as tools, tools.pipeline(transaction=False) as pipe:
        for _ in range(PADDING):
            pipe.set(PROBE, "x")
        pipe.execute()
    server.kill()
    server.settings["key-load-delay"] = str(int(fault.seconds * 1e6 / PADDING))
    server.start(wait=False)
    try:
        wait_for(lambda: _refuses(world, b"LOADING"), PROVE_SECONDS, "Redis to say LOADING")
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error
    finally:
        del server.settings["key-load-delay"]
        server.wait_ready()


def readonly(world: World, fault: Fault) -> None:
    """Make Redis the replica of a server that is not there, then its own master again."""
    with world.tools() as tools:
        tools.replicaof("127.0.0.1", free_port())
        try:
            _insist(world, b"READONLY", fault.seconds)
        finally:
            tools.replicaof("NO", "ONE")


def full(world: World, fault: Fault) -> None:
    """Leave Redis less memory than it needs for nothing at all, then as much as before."""
    with world.tools() as tools:
        tools.config_set("maxmemory", 1)
        try:
            _insist(world, b"OOM", fault.seconds)
        finally:
            tools.config_set("maxmemory", world.pipeline.redis.maxmemory)


def _insist(world: World, refusal: bytes, seconds: float) -> None:
    """See that writes are refused, at the beginning and at the end of so many seconds."""
    until = time.monotonic() + seconds
    for _ in range(2):
        if not _refuses(world, refusal):
            raise NotFiredError(f"Redis did not refuse a write with {refusal.decode()}")
        pause(until - time.monotonic())


def _refuses(world: World, refusal: bytes) -> bool:
    """Write something, in one breath: a server that is loading answers seldom."""
    server = world.pipeline.redis
    said = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 2.0) as talk:
        talk.sendall(f"AUTH tools {server.passwords['tools']}\r\nSET {PROBE} x\r\n".encode())
        while said.count(b"\r\n") < 2 and (block := talk.recv(1024)):
            said += block
    return b"\r\n-" + refusal in said


INJECT = {Kind.LOADING: loading, Kind.READONLY: readonly, Kind.FULL: full}
