"""Servers on this machine that speak S3: moto's in a thread, and OpenStack Swift from Debian's packages.

Swift has one device, one replica and a password, set up as its deployment guide describes.
"""

from __future__ import annotations

import contextlib
import getpass
import http.client
import logging
import shutil
import socket
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from testing.harness import programs
from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


BUCKET = "archive"
KEY_ID, SECRET = "archive:writer", "a-secret-key"
REGION = "us-east-1"
PROXY = "proxy"
KINDS = ("account", "container", "object", PROXY)
PIPELINE = "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo"
READY_SECONDS = 60.0


@dataclass
class ObjectStore:
    """One bucket, and the settings of `archive` for it."""

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
    """Serve a bucket with moto while inside."""
    # Do not log requests.
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
    """Make a new bucket on a running Swift."""
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


class NoSwiftError(Exception):
    """Swift is not installed here."""


def find_swift() -> None:
    """Raise NoSwiftError if one of its programs is missing."""
    for program in ("swift-ring-builder", *(f"swift-{kind}-server" for kind in KINDS)):
        if shutil.which(program) is None:
            raise NoSwiftError(f"no {program} here; make engine installs it, as root, on Debian")


@contextlib.contextmanager
def swift(folder: Path) -> Iterator[str]:
    """Serve S3 while inside; yields the endpoint. `folder` must support extended attributes."""
    find_swift()
    (folder / "devices" / "d1").mkdir(parents=True)
    ports = {kind: free_port() for kind in KINDS}
    _configure(folder, ports)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for kind in KINDS:
            words = (f"swift-{kind}-server", str(folder / f"{kind}.conf"))
            servers.append(programs.start(*words, log=folder / f"{kind}.log"))
        for port in ports.values():
            wait_for(lambda: _listens(port), READY_SECONDS, f"Swift; see {folder}")  # noqa: B023 - waited for here
        yield f"http://127.0.0.1:{ports[PROXY]}"
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _configure(folder: Path, ports: dict[str, int]) -> None:
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = a\n[storage-policy:0]\nname = one\ndefault = yes\n",
        encoding="ascii",
    )
    for kind in KINDS:
        common = (
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {ports[kind]}\nworkers = 0\n"
            f"user = {getpass.getuser()}\nswift_dir = {folder}\nlog_level = WARNING\n"
        )
        text = common + (_filters() if kind == PROXY else _stores(folder, kind))
        (folder / f"{kind}.conf").write_text(text, encoding="ascii")
        if kind != PROXY:
            place = f"r1z1-127.0.0.1:{ports[kind]}/d1"
            for words in (["create", "4", "1", "1"], ["add", place, "1"], ["rebalance"]):
                programs.run("swift-ring-builder", str(folder / f"{kind}.builder"), *words)


def _stores(folder: Path, kind: str) -> str:
    return (
        f"devices = {folder / 'devices'}\nmount_check = false\n"
        f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
    )


def _filters() -> str:
    own = {"cache": "memcache"}
    more = {
        "s3api": f"location = {REGION}\n",
        "tempauth": f"user_{KEY_ID.replace(':', '_')} = {SECRET} .admin\n",
    }
    text = f"[pipeline:main]\npipeline = {PIPELINE} proxy-server\n"
    text += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    for name in PIPELINE.split():
        text += f"[filter:{name}]\nuse = egg:swift#{own.get(name, name)}\n{more.get(name, '')}"
    return text


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return False
    return True
