"""Checks that a Redis server keeps what it acknowledges, and how full it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.buffer.connection import info
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from services.buffer.connection import Connection

OLDEST_MAJOR = 7
REQUIRED = {
    "maxmemory-policy": ("noeviction", "any other policy deletes buffered events when memory is full"),
    "appendonly": ("yes", "without the append-only file a restart loses what is buffered"),
    "no-appendfsync-on-rewrite": ("no", "otherwise a rewrite of the append-only file suspends appendfsync"),
    "appendfsync": ("always", "anything less loses acknowledged events on power loss"),
}


class Memory(NamedTuple):
    """Bytes in use, and maxmemory."""

    used: int
    ceiling: int

    def share(self) -> float:
        """Return the share in use: 1 is full, and more is possible."""
        return self.used / self.ceiling


def refuse_unsafe(connection: Connection) -> None:
    """Raise BrokenInvariant, with the remedy, for a server that may lose or refuse buffered events."""
    version = info(connection, "server")["redis_version"]
    if int(version.split(".")[0]) < OLDEST_MAJOR:
        raise BrokenInvariant(f"Redis {version} is too old; use Redis 7 or newer, or Valkey")
    for name, (wanted, why) in REQUIRED.items():
        given = _config(connection, name)
        if given != wanted:
            raise BrokenInvariant(f"Redis has {name} {given!r}; set {name} {wanted} in redis.conf: {why}")
    if int(_config(connection, "maxmemory")) == 0:
        raise BrokenInvariant(
            "Redis has no maxmemory; set one in redis.conf, or the kernel kills it before it refuses writes"
        )


def memory(connection: Connection) -> Memory:
    """Return how full the server is."""
    facts = info(connection, "memory")
    return Memory(int(facts["used_memory"]), int(facts["maxmemory"]))


def _config(connection: Connection, name: str) -> str:
    reply = connection.one("CONFIG", "GET", name)
    return str(reply[1].decode())
