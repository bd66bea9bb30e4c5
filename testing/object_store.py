"""A server that speaks S3, on this machine: moto's, in a thread, with one empty bucket."""

from __future__ import annotations

import contextlib
import http.client
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "archive"


@dataclass
class ObjectStore:
    """One bucket, and what `archive` is told of it."""

    endpoint: str
    keys: Path

    def settings(self, prefix: str = "bluesky") -> dict[str, str]:
        """Return the environment of a tool that uses it."""
        return {
            "ARCHIVE_OBJECT_STORE": f"s3://{BUCKET}/{prefix}",
            "ARCHIVE_OBJECT_ENDPOINT": self.endpoint,
            "ARCHIVE_OBJECT_KEY_FILE": str(self.keys),
        }


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Serve a bucket while inside."""
    # Its requests are not news for a test's output.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    keys = folder / "object_store_keys"
    keys.write_text("an-access-key\na-secret-key\n", encoding="utf-8")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = ObjectStore(f"http://{host}:{port}", keys)
    try:
        talk = http.client.HTTPConnection(host, port, timeout=10)
        talk.request("PUT", f"/{BUCKET}")
        assert talk.getresponse().status == http.HTTPStatus.OK
        talk.close()
        yield store
    finally:
        server.stop()
