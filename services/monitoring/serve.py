"""Serves `/healthz` for all, `/healthz/NAME` for one, and `/alive` for this service itself."""

from __future__ import annotations

import contextlib
import json
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from services.monitoring.question import PATIENCE_SECONDS, Question, Verdict, answer
from services.shared.probes import EVERYWHERE, in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALL = "/healthz"


def look(path: str, questions: Mapping[str, Question]) -> tuple[HTTPStatus, dict[str, object]]:
    """Answer a path: the status, and JSON that says why."""
    name = path.removeprefix(ALL).strip("/")
    if path == "/alive":
        return HTTPStatus.OK, {"status": "ok"}
    if not path.startswith(ALL) or (name and name not in questions):
        known = [ALL, *(f"{ALL}/{name}" for name in questions)]
        return HTTPStatus.NOT_FOUND, {"status": "unknown", "paths": known}
    chosen = {name: questions[name]} if name else questions
    deadline = time.monotonic() + PATIENCE_SECONDS
    asked = {name: question.put() for name, question in chosen.items()}
    verdicts = {name: answer(future, deadline - time.monotonic()) for name, future in asked.items()}
    works = all(verdict.works for verdict in verdicts.values())
    shown = {name: _show(verdict) for name, verdict in verdicts.items()}
    body: dict[str, object] = (
        shown[name] if name else {"status": _status(works=works), **_failing(verdicts), "services": shown}
    )
    return HTTPStatus.OK if works else HTTPStatus.SERVICE_UNAVAILABLE, body


@contextlib.contextmanager
def serving(port: int, questions: Mapping[str, Question]) -> Iterator[int]:
    """Serve in a thread of its own; gives the port (`port` 0 takes any free one)."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = look(self.path.partition("?")[0], questions)
            said = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(said)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_args: object) -> None:
            """Say nothing: a line per check is noise."""

    server = ThreadingHTTPServer((EVERYWHERE, port), Answers)
    server.daemon_threads = True
    with in_thread(server) as taken:
        yield taken


def _show(verdict: Verdict) -> dict[str, object]:
    return {"status": _status(works=verdict.works), **verdict.said}


def _status(*, works: bool) -> str:
    return "ok" if works else "failing"


def _failing(verdicts: Mapping[str, Verdict]) -> dict[str, object]:
    failing = [name for name, verdict in verdicts.items() if not verdict.works]
    return {"failing": failing} if failing else {}
