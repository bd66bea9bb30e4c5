"""Servers that speak S3, on this machine: moto's, in a thread, and Swift, a real one."""

from __future__ import annotations

import contextlib
import http.client
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from testing.fakes.swift import KEY_ID, REGION, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "archive"


@dataclass
class ObjectStore:
    """One bucket, and what `archive` is told of it."""

    endpoint: str
    keys: Path
    bucket: str = BUCKET

    def settings(self, prefix: str = "bluesky") -> dict[str, str]:
        """Return the environment of a tool that uses it."""
        return {
            "ARCHIVE_OBJECT_STORE": f"s3://{self.bucket}/{prefix}",
            "ARCHIVE_OBJECT_ENDPOINT": self.endpoint,
            "ARCHIVE_OBJECT_KEY_FILE": str(self.keys),
        }


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Serve a bucket of moto's while inside."""
    # Its requests are not news for a test's output.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = ObjectStore(f"http://{host}:{port}", _keys(folder, "an-access-key", "a-secret-key"))
    try:
        talk = http.client.HTTPConnection(host, port, timeout=10)
        talk.request("PUT", f"/{BUCKET}")
        assert talk.getresponse().status == http.HTTPStatus.OK
        talk.close()
        yield store
    finally:
        server.stop()


def bucket_of_swift(folder: Path, endpoint: str) -> ObjectStore:
    """Make a bucket of its own at a Swift that runs."""
    store = ObjectStore(endpoint, _keys(folder, KEY_ID, SECRET), f"archive-{uuid.uuid4().hex}")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=store.bucket)
    client.close()
    return store


def _keys(folder: Path, key_id: str, secret: str) -> Path:
    keys = folder / "object_store_keys"
    keys.write_text(f"{key_id}\n{secret}\n", encoding="utf-8")
    return keys
