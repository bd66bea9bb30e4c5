"""Serves segments over HTTP on 127.0.0.1 to clients with the token; injects faults on request."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from testing.fakes.segments.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from testing.fakes.segments.segment import Row

TOKEN = "a-token-of-this-test"  # noqa: S105 - of nothing
METHODS = "/xrpc/network.bsky.jetstream."


@dataclass
class Fault:
    """A fault in the answers to requests whose URL contains `at`, the next `times` times."""

    what: str
    """`status`, `flip` a byte, `cut` the body, send the `whole` file, `drop` the connection, `move`."""
    at: str = ""
    times: int = 1 << 30
    status: int = 0
    retry_after: str = ""


@dataclass
class FakeSegments:
    """One host's archive: `with FakeSegments(rows) as host: host.address`."""

    rows: Sequence[Row]
    segment_events: int = 500
    block_events: int = 50
    page: int = 1000
    by_first_names: bool = False
    segments: list[Segment] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """URL of every request."""

    def __post_init__(self) -> None:
        starts = range(0, len(self.rows), self.segment_events)
        self.segments = [
            Segment(number, self.rows[at : at + self.segment_events], self.block_events)
            for number, at in enumerate(starts)
        ]

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"host": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Value of TOOLS_SEGMENTS_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take_fault(self, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it."""
        for fault in self.faults:
            if fault.at in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def count(self, at: str) -> int:
        """Return how many requests had this in their URL."""
        return sum(at in path for path in self.requests)


class _Handler(BaseHTTPRequestHandler):
    host: FakeSegments
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Answer a request; signed URLs need no token."""
        self.host.requests.append(self.path)
        is_signed = self.path.startswith("/signed/")
        self._fault = self.host.take_fault(self.path)
        if is_signed == (self.headers.get("Authorization") == f"Bearer {TOKEN}"):
            self._refuse(HTTPStatus.UNAUTHORIZED, "AuthenticationRequired")
            return
        if self._fault is not None and self._fault.what == "status":
            self._refuse(HTTPStatus(self._fault.status), "Fault")
            return
        if self._fault is not None and self._fault.what == "drop":
            self.close_connection = True
            return
        if self._fault is not None and self._fault.what == "move" and not is_signed:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", f"{self.host.address}/signed{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        parts = urlsplit(self.path.removeprefix("/signed"))
        words = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.removeprefix(METHODS):
            case "listSegments":
                self._list(words)
            case "getSegment":
                self._segment(words)
            case "getBlock":
                self._block(words)
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "MethodNotImplemented")

    def _list(self, words: dict[str, str]) -> None:
        start, limit = int(words.get("cursor", 0)), min(int(words.get("limit", 100)), self.host.page)
        some = [one for one in self.host.segments if one.number >= start]
        page = [one.listed(by_first_names=self.host.by_first_names) for one in some[:limit]]
        more = {"cursor": str(some[limit].number)} if len(some) > limit else {}
        self._send(HTTPStatus.OK, json.dumps({"segments": page, **more}).encode())

    def _segment(self, words: dict[str, str]) -> None:
        segment = self._named(words["name"])
        if segment is None:
            self._refuse(HTTPStatus.NOT_FOUND, "SegmentNotFound")
            return
        byte_range = self.headers.get("Range", "")
        if not byte_range or (self._fault is not None and self._fault.what == "whole"):
            self._send(HTTPStatus.OK, segment.raw, segment.checksum)
            return
        first, last = (int(end) for end in byte_range.removeprefix("bytes=").split("-"))
        self._send(HTTPStatus.PARTIAL_CONTENT, segment.raw[first : last + 1], segment.checksum)

    def _block(self, words: dict[str, str]) -> None:
        segment, number = self._named(words["segment"]), int(words["blockIndex"])
        if segment is None or number >= len(segment.frames):
            self._refuse(HTTPStatus.NOT_FOUND, "BlockNotFound" if segment else "SegmentNotFound")
            return
        self._send(HTTPStatus.OK, segment.frames[number], f"{segment.checksum}:{number}")

    def _named(self, name: str) -> Segment | None:
        return next((one for one in self.host.segments if one.name == name), None)

    def _refuse(self, status: HTTPStatus, name: str) -> None:
        retry_after = self._fault.retry_after if self._fault is not None else ""
        headers = {"Retry-After": retry_after} if retry_after else {}
        self._send(status, json.dumps({"error": name, "message": name}).encode(), **headers)

    def _send(self, status: HTTPStatus, body: bytes, tag: str = "", **headers: str) -> None:
        fault = self._fault.what if self._fault is not None and status < HTTPStatus.BAD_REQUEST else ""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers | ({"ETag": f'"{tag}"'} if tag else {})).items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "flip":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0x10]) + body[middle + 1 :]
        if fault == "cut":
            self.close_connection = True
            body = body[: len(body) // 2]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)
