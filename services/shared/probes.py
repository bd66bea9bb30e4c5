"""Serves `/metrics` and `/healthz`; run as a module it is the container's health check."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from services.shared.errors import BrokenInvariant
from services.shared.http import get_direct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from http.server import HTTPServer
    from wsgiref.types import StartResponse, WSGIEnvironment


EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container; Compose decides what is published


class Health(Protocol):
    """Reports the health of a daemon."""

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return whether the daemon works, and facts: `state`, and `reasons` when it does not."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Log nothing: scrapes are frequent."""


@contextlib.contextmanager
def serving(port: int, registry: CollectorRegistry, health: Health) -> Iterator[int]:
    """Serve both probes in a thread; yields the port (`port` 0 chooses a free one)."""
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return cast("Iterable[bytes]", metrics(environ, start_response))
        if path != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"only /metrics and /healthz exist\n"]
        works, facts = health()
        status = HTTPStatus.OK if works else HTTPStatus.SERVICE_UNAVAILABLE
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps({"status": "ok" if works else "failing", **facts}).encode() + b"\n"]

    try:
        server = make_server(EVERYWHERE, port, answer, ThreadingWSGIServer, _Quiet)
    except OSError as error:
        raise BrokenInvariant(
            f"port {port} for /metrics and /healthz cannot be used ({error}); choose another"
        ) from error
    with in_thread(server) as taken:
        yield taken


@contextlib.contextmanager
def in_thread(server: HTTPServer) -> Iterator[int]:
    """Run a server in a thread; yields its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def check(url: str) -> int:
    """Request a `/healthz`, print the response, and return the exit code of a container health check."""
    try:
        reply = get_direct(url, seconds=2)
    except OSError as error:
        print(error)  # noqa: T201 - Docker keeps what a health check prints
        return 1
    print(reply.body.decode())  # noqa: T201 - as above
    return 0 if reply.status == HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(check(sys.argv[1]))
