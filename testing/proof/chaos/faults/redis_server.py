"""Faults of Redis: its data are damaged, set back or lost; or it refuses commands (LOADING, READONLY, full).

An acknowledged command is in the append-only file, so a torn last record loses nothing. After the other
losses events are read again, and those that were committed already are doubled: `_allow` computes how many.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from typing import TYPE_CHECKING

from testing.harness.redis import free_port
from testing.harness.waiting import wait_for
from testing.proof.chaos.environment import Allowance, Environment, NotInjectedError, prove, sleep
from testing.proof.chaos.kinds import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.chaos.plan import Fault

GROWTH_SECONDS = 60.0
"""How long to wait for a push or a write: another fault may keep the ingester away."""
REWIND_US = 5_000_000
"""How far an ingester rewinds on a v1 host; the repeats are known, unless the dedup window is lost too."""
TORN = (
    b"*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$20\r\narchive:buffer:posts\r\n"
    b'$900\r\n{"did":"did:plc:torn","time_us":1'
)
"""The beginning of a push, as in the append-only file of a server that died while writing it."""
PROBE = "chaos:probe"
PADDING = 4000
"""Commands in the append-only file; while it loads, Redis answers once in about a thousand."""


def torn(env: Environment, fault: Fault) -> None:
    """Kill Redis while it writes a record that it has not acknowledged; the server must truncate it."""
    server = env.pipeline.redis
    server.kill()
    tail = _tail(server.folder)
    whole = tail.stat().st_size
    with tail.open("ab") as file:
        file.write(TORN[: 1 + int(fault.fraction * (len(TORN) - 1))])
    before = _log(server.folder)
    sleep(fault.seconds)
    server.start()
    if "runcat" not in _log(server.folder)[len(before) :]:
        raise NotInjectedError(f"the server did not truncate {tail} to {whole} bytes")


def cut(env: Environment, fault: Fault) -> None:
    """Truncate the append-only file within a record: acknowledged pushes and acks are lost."""
    env.wait_parts()
    since_us, server = env.oldest_checkpoint_us(), env.pipeline.redis
    tail = _tail(server.folder)
    earlier = tail.stat().st_size
    sleep(fault.seconds)
    wait_for(lambda: tail.stat().st_size - earlier >= len(TORN), GROWTH_SECONDS, f"{tail} to grow")
    server.kill()
    size = tail.stat().st_size
    _allow(env, fault.kind, since_us)
    with tail.open("r+b") as file:
        file.truncate(earlier + int(fault.fraction * (size - earlier - 1)))
    server.start()


def restore(env: Environment, fault: Fault) -> None:
    """Copy Redis' data while it runs, and restore the copy some time later."""
    env.wait_parts()
    since_us, server = env.oldest_checkpoint_us(), env.pipeline.redis
    data, copy = server.folder / "data", server.folder / "backup"
    before = env.cursor()
    shutil.copytree(data, copy)
    sleep(fault.seconds)
    wait_for(lambda: env.cursor() not in ({}, before), GROWTH_SECONDS, "a push since the backup")
    server.kill()
    _allow(env, fault.kind, since_us)
    server.lose_volume()
    copy.rename(data)
    server.start()


def volume(env: Environment, fault: Fault) -> None:
    """Lose all of Redis' data."""
    env.wait_parts()
    sleep(fault.seconds)
    lose_volume(env, fault.kind)


def lose_volume(env: Environment, kind: Kind) -> None:
    """Kill Redis, delete its data, and start it empty."""
    server = env.pipeline.redis
    if not env.cursor():
        raise NotInjectedError("there was no cursor to lose")
    server.kill()
    _allow(env, kind, env.oldest_checkpoint_us() - REWIND_US)
    server.lose_volume()
    server.start()


def loading(env: Environment, fault: Fault) -> None:
    """Restart Redis on a file that takes `fault.seconds` to load, and see that it answers LOADING."""
    server = env.pipeline.redis
    with env.tools() as tools, tools.pipeline(transaction=False) as pipe:
        for _ in range(PADDING):
            pipe.set(PROBE, "x")
        pipe.execute()
    server.kill()
    server.settings["key-load-delay"] = str(int(fault.seconds * 1e6 / PADDING))
    server.start(wait=False)
    try:
        prove(lambda: _refuses(env, b"LOADING"), "Redis to answer LOADING")
    finally:
        del server.settings["key-load-delay"]
        server.wait_ready()


def readonly(env: Environment, fault: Fault) -> None:
    """Make Redis the replica of a server that does not exist, then its own master again."""
    with env.tools() as tools:
        tools.replicaof("127.0.0.1", free_port())
        try:
            _wait_refusing(env, b"READONLY", fault.seconds)
        finally:
            tools.replicaof("NO", "ONE")


def full(env: Environment, fault: Fault) -> None:
    """Set maxmemory below what Redis uses, then back."""
    with env.tools() as tools:
        tools.config_set("maxmemory", 1)
        try:
            _wait_refusing(env, b"OOM", fault.seconds)
        finally:
            tools.config_set("maxmemory", env.pipeline.redis.maxmemory)


def _allow(env: Environment, kind: Kind, since_us: int) -> None:
    """Allow as many doubled events as there are since `since_us`; Redis has lost their identities."""
    tip = env.tip()
    env.allowed.append(Allowance(kind, tip - env.traffic(tip).index_at(since_us)))


def _tail(folder: Path) -> Path:
    (tail,) = (folder / "data" / "appendonlydir").glob("*.incr.aof")
    return tail


def _log(folder: Path) -> str:
    return (folder / "redis.log").read_text(encoding="utf-8", errors="replace")


def _wait_refusing(env: Environment, refusal: bytes, seconds: float) -> None:
    """See that writes are refused now and again after `seconds`."""
    until = time.monotonic() + seconds
    for _ in range(2):
        if not _refuses(env, refusal):
            raise NotInjectedError(f"Redis did not refuse a write with {refusal.decode()}")
        sleep(until - time.monotonic())


def _refuses(env: Environment, refusal: bytes) -> bool:
    """Try to write, with login and command in one packet: a server that is loading answers seldom."""
    server = env.pipeline.redis
    reply = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 2.0) as client:
        client.sendall(f"AUTH tools {server.passwords['tools']}\r\nSET {PROBE} x\r\n".encode())
        while reply.count(b"\r\n") < 2 and (block := client.recv(1024)):
            reply += block
    return b"\r\n-" + refusal in reply


INJECT = {
    Kind.AOF_TORN: torn,
    Kind.AOF_CUT: cut,
    Kind.BACKUP_RESTORED: restore,
    Kind.VOLUME_LOST: volume,
    Kind.LOADING: loading,
    Kind.READONLY: readonly,
    Kind.FULL: full,
}
