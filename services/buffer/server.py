"""What must be true of the Redis server before anything is trusted to it, and how full it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.buffer.connection import info
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from services.buffer.connection import Connection

OLDEST_MAJOR = 7
MENDS = {
    "maxmemory-policy": ("noeviction", "any other policy deletes buffered events when memory is full"),
    "appendonly": ("yes", "without the append-only file a restart loses what is buffered"),
    "no-appendfsync-on-rewrite": ("no", "else a rewrite of the append-only file turns appendfsync off"),
    "appendfsync": ("always", "anything less loses acknowledged events on power loss"),
}


class Memory(NamedTuple):
    """Bytes in use, and the ceiling."""

    used: int
    ceiling: int

    def share(self) -> float:
        """Return the part in use, 0 to 1 and above."""
        return self.used / self.ceiling


def refuse_unsafe(connection: Connection) -> None:
    """Raise BrokenInvariant, naming the mend, when this server may lose or refuse what it should keep."""
    version = info(connection, "server")["redis_version"]
    if int(version.split(".")[0]) < OLDEST_MAJOR:
        raise BrokenInvariant(f"Redis {version} is too old; use Redis 7 or newer, or Valkey")
    for name, (wanted, why) in MENDS.items():
        given = _config(connection, name)
        if given != wanted:
            raise BrokenInvariant(f"Redis has {name} {given!r}; set {name} {wanted} in redis.conf: {why}")
    if int(_config(connection, "maxmemory")) == 0:
        raise BrokenInvariant(
            "Redis has no maxmemory; set one in redis.conf, else it is killed before it says full"
        )


def memory(connection: Connection) -> Memory:
    """Ask how full the server is."""
    said = info(connection, "memory")
    return Memory(int(said["used_memory"]), int(said["maxmemory"]))


def _config(connection: Connection, name: str) -> str:
    reply = connection.one("CONFIG", "GET", name)
    return str(reply[1].decode())
