"""HTTP requests: proxies, statuses, ranges, and where credentials and redirects go."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from services.shared.errors import BadInput, Transient
from services.shared.http import HttpError, download, get_direct, is_private

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(BaseHTTPRequestHandler):
    """Replies with the headers it received; paths choose a failure."""

    elsewhere: ClassVar[str] = ""

    def do_GET(self) -> None:
        """Reply."""
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", self.elsewhere)
            self.end_headers()
            return
        body = f"{self.headers['Authorization']} {self.headers['Range']}".encode()
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(body) + (self.path == "/cut")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@contextmanager
def serving(elsewhere: str = "") -> Iterator[str]:
    handler = type("Handler", (Handler,), {"elsewhere": elsewhere})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def read(url: str, *, authorization: str = "", byte_range: str = "", private: bool = False) -> bytes:
    with download(
        url, authorization=authorization, byte_range=byte_range, private=private, seconds=5
    ) as response:
        return response.read()


def test_direct_requests_ignore_a_proxy_and_return_every_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as address:
        assert get_direct(f"{address}/", seconds=5) == (200, b"None None")
        assert get_direct(f"{address}/busy", seconds=5).status == 503
    with pytest.raises(OSError, match="refused"):
        get_direct(f"{address}/", seconds=5)


def test_a_download_sends_credentials_and_range_and_raises_by_kind_of_failure() -> None:
    with serving() as address:
        assert read(f"{address}/", authorization="Bearer t", byte_range="bytes=3-") == b"Bearer t bytes=3-"
        with pytest.raises(HttpError, match="503") as caught:
            read(f"{address}/busy")
        assert (caught.value.status, caught.value.retry_after) == (503, "7")
        with pytest.raises(Transient, match="/cut"):
            read(f"{address}/cut")
    with pytest.raises(Transient, match="refused"):
        read(f"{address}/")


def test_credentials_are_not_sent_to_another_server_and_private_requests_stay_private() -> None:
    with serving() as other, serving(f"{other}/") as address:
        assert read(f"{address}/moved", authorization="Bearer t", private=True) == b"None None"
    with serving("http://example.org/") as address, pytest.raises(BadInput, match=r"example\.org"):
        read(f"{address}/moved", private=True)


def test_only_https_and_this_machine_are_private() -> None:
    assert is_private("https://host.example")
    assert is_private("http://127.0.0.1:80/x")
    assert is_private("http://localhost")
    assert not is_private("http://host.example")
    assert not is_private("https://")
    assert not is_private("ftp://127.0.0.1")
