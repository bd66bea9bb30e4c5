"""A receiver of Alertmanager's webhooks: keeps every notification and returns them all on request.

Needs only the standard library: `python webhook.py PORT`. POST / stores a notification, GET / returns JSON:
`[{"at": Unix seconds of receipt, "path": ..., "body": ...}, ...]`.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Webhook(BaseHTTPRequestHandler):
    """Answers one request."""

    received: list[dict[str, object]] = []  # noqa: RUF012 - one list for all requests, on purpose

    def do_POST(self) -> None:
        """Store a notification."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append({"at": time.time(), "path": self.path, "body": json.loads(body)})
        self._answer(b"")

    def do_GET(self) -> None:
        """Return every notification."""
        self._answer(json.dumps(self.received).encode())

    def log_message(self, *_args: object) -> None:
        """Log nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Webhook).serve_forever()  # noqa: S104 - in a container
