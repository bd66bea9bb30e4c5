"""Health of Redis and both daemons, checked on request and served as JSON.

`/healthz` checks all of them, `/healthz/NAME` one, and `/alive` is this service itself. A request is answered
within a second, even while a checked service hangs.
"""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from services.buffer.connection import Connection, info
from services.shared.errors import ArchiveError
from services.shared.http import get_direct
from services.shared.probes import EVERYWHERE, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from services.monitoring.settings import HealthSettings
    from services.shared.lifecycle import Stopping

ALL = "/healthz"
CHECK_SECONDS = 0.8
"""Longest wait for all checks of one request."""
DAEMON_SECONDS = 0.7
REDIS_TIMEOUTS = "socket_timeout=0.5&socket_connect_timeout=0.5"
REDIS_STATUSES = {
    "aof_last_write_status": "the append-only file cannot be written",
    "aof_last_bgrewrite_status": "the last rewrite of the append-only file failed",
    "rdb_last_bgsave_status": "the last snapshot failed",
}


class HealthStatus(NamedTuple):
    """Whether a service is healthy, and details for the reply; `reasons` among them say why it is not."""

    healthy: bool
    details: dict[str, object]


class Check:
    """A check of one service in a thread of its own; while it runs, further requests share its result."""

    def __init__(self, check: Callable[[], HealthStatus]) -> None:
        self._check = check
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._lock = Lock()
        self._running: Future[HealthStatus] | None = None

    def start(self) -> Future[HealthStatus]:
        """Start the check unless one is running; returns its future."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = self._thread.submit(self._check)
            return self._running


def check_daemon(url: str) -> HealthStatus:
    """Request a daemon's /healthz; a paused ingester is healthy."""
    try:
        reply = get_direct(url, seconds=DAEMON_SECONDS)
    except OSError as error:
        return HealthStatus(healthy=False, details={"reasons": [f"no answer from {url}: {error}"]})
    return HealthStatus(healthy=reply.status == HTTPStatus.OK, details=_parse(reply.body))


def check_redis(settings: HealthSettings, stopping: Stopping) -> HealthStatus:
    """Connect to Redis, PING it and judge its INFO."""
    address = settings.redis_address()
    # A new connection each time: one that was lost must not delay this check.
    connection = Connection(f"{address}{'&' if '?' in address else '?'}{REDIS_TIMEOUTS}", stopping)
    try:
        connection.open(fence=False)
        began = time.monotonic()
        connection.one("PING")
        ping_ms = (time.monotonic() - began) * 1000
        server = {**info(connection, "memory"), **info(connection, "persistence")}
    except ArchiveError as error:
        return HealthStatus(healthy=False, details={"reasons": [str(error)]})
    finally:
        connection.close()
    return judge_redis(server, ping_ms, settings)


def judge_redis(server: Mapping[str, str], ping_ms: float, settings: HealthSettings) -> HealthStatus:
    """Return the status for fields of INFO and the time of a PING. Pure."""
    used, maxmemory = int(server["used_memory"]), int(server["maxmemory"])
    share = used / maxmemory if maxmemory else 1.0
    reasons = []
    if ping_ms > settings.health_ping_ms:
        reasons.append(f"PING took {ping_ms:.0f} ms, more than {settings.health_ping_ms:g}")
    if not maxmemory:
        reasons.append("no maxmemory is set")
    elif share * 100 >= settings.health_memory_percent:
        reasons.append(f"memory is {share:.0%} full, {settings.health_memory_percent:g} % or more")
    if server.get("aof_enabled") != "1":
        reasons.append("the append-only file is off")
    reasons += [reason for name, reason in REDIS_STATUSES.items() if server.get(name, "ok") != "ok"]
    details: dict[str, object] = {
        "ping_ms": round(ping_ms, 2),
        "memory_share": round(share, 4),
        "memory_bytes": used,
        "maxmemory_bytes": maxmemory,
    }
    return HealthStatus(not reasons, {**details, **({"reasons": reasons} if reasons else {})})


def respond(path: str, checks: Mapping[str, Check]) -> tuple[HTTPStatus, dict[str, object]]:
    """Return HTTP status and JSON body for a path."""
    name = path.removeprefix(ALL).strip("/")
    if path == "/alive":
        return HTTPStatus.OK, {"status": "ok"}
    if not path.startswith(ALL) or (name and name not in checks):
        known = [ALL, *(f"{ALL}/{name}" for name in checks)]
        return HTTPStatus.NOT_FOUND, {"status": "unknown", "paths": known}
    chosen = {name: checks[name]} if name else checks
    deadline = time.monotonic() + CHECK_SECONDS
    started = {name: check.start() for name, check in chosen.items()}
    results = {name: _result(future, deadline - time.monotonic()) for name, future in started.items()}
    failing = [name for name, result in results.items() if not result.healthy]
    shown = {
        name: {"status": _word(healthy=result.healthy), **result.details} for name, result in results.items()
    }
    body: dict[str, object] = (
        shown[name]
        if name
        else {
            "status": _word(healthy=not failing),
            **({"failing": failing} if failing else {}),
            "services": shown,
        }
    )
    return HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK, body


@contextlib.contextmanager
def serving(port: int, checks: Mapping[str, Check]) -> Iterator[int]:
    """Serve in a thread; yields the port (`port` 0 takes any free one)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = respond(self.path.partition("?")[0], checks)
            body = json.dumps(content).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_args: object) -> None:
            """Log nothing: a line for each check is noise."""

    server = ThreadingHTTPServer((EVERYWHERE, port), Handler)
    server.daemon_threads = True
    with in_thread(server) as bound:
        yield bound


def _result(started: Future[HealthStatus], seconds: float) -> HealthStatus:
    """Wait for a check; one that does not end in time is unhealthy."""
    try:
        return started.result(timeout=max(0.0, seconds))
    except TimeoutError:
        return HealthStatus(healthy=False, details={"reasons": [f"no answer within {CHECK_SECONDS:g} s"]})


def _parse(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return {"reasons": [f"the reply is not JSON: {body[:100]!r}"]}
    content.pop("status", None)
    return content


def _word(*, healthy: bool) -> str:
    return "ok" if healthy else "failing"
