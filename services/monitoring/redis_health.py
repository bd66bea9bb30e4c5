"""Whether Redis answers quickly, has room, and gets what it holds onto its disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from services.buffer.connection import Connection, info
from services.monitoring.question import Verdict
from services.shared.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.monitoring.settings import HealthSettings
    from services.shared.lifecycle import Stopping

TIMEOUTS = "socket_timeout=0.5&socket_connect_timeout=0.5"
STATUSES = {
    "aof_last_write_status": "the append-only file cannot be written",
    "aof_last_bgrewrite_status": "the last rewrite of the append-only file failed",
    "rdb_last_bgsave_status": "the last snapshot failed",
}


def ask_redis(settings: HealthSettings, stopping: Stopping) -> Verdict:
    """Connect, PING and read what the server says of itself."""
    address = settings.redis_address()
    # A connection of its own each time: one that was lost before must not hold this one back.
    connection = Connection(f"{address}{'&' if '?' in address else '?'}{TIMEOUTS}", stopping)
    try:
        connection.open(fence=False)
        began = time.monotonic()
        connection.one("PING")
        ping_ms = (time.monotonic() - began) * 1000
        said = {**info(connection, "memory"), **info(connection, "persistence")}
    except ArchiveError as error:
        return Verdict(works=False, said={"reasons": [str(error)]})
    finally:
        connection.close()
    return judge(said, ping_ms, settings)


def judge(said: Mapping[str, str], ping_ms: float, settings: HealthSettings) -> Verdict:
    """Return the verdict on what the server said."""
    used, ceiling = int(said["used_memory"]), int(said["maxmemory"])
    share = used / ceiling if ceiling else 1.0
    reasons = []
    if ping_ms > settings.health_ping_ms:
        reasons.append(f"PING took {ping_ms:.0f} ms, more than {settings.health_ping_ms:g}")
    if not ceiling:
        reasons.append("no maxmemory is set")
    elif share * 100 >= settings.health_memory_percent:
        reasons.append(f"memory is {share:.0%} full, {settings.health_memory_percent:g} % or more")
    if said.get("aof_enabled") != "1":
        reasons.append("the append-only file is off")
    reasons += [reason for name, reason in STATUSES.items() if said.get(name, "ok") != "ok"]
    shown: dict[str, object] = {
        "ping_ms": round(ping_ms, 2),
        "memory_share": round(share, 4),
        "memory_bytes": used,
        "maxmemory_bytes": ceiling,
    }
    return Verdict(not reasons, {**shown, **({"reasons": reasons} if reasons else {})})
