"""A receiver of Alertmanager's webhooks: keeps every notification, and shows them all to whoever asks.

Runs by itself in any container with Python: `python webhook.py PORT`. POST / takes one, GET / answers JSON:
`[{"at": Unix seconds of receipt, "body": what was posted}, ...]`.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Webhook(BaseHTTPRequestHandler):
    """Answers one request."""

    heard: list[dict[str, object]] = []  # noqa: RUF012 - one list for all requests, on purpose

    def do_POST(self) -> None:
        """Take a notification."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append({"at": time.time(), "path": self.path, "body": json.loads(body)})
        self._answer(b"")

    def do_GET(self) -> None:
        """Show all."""
        self._answer(json.dumps(self.heard).encode())

    def log_message(self, *_args: object) -> None:
        """Say nothing: what came is shown to whoever asks."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Webhook).serve_forever()  # noqa: S104 - in a container
