"""OpenStack Swift, whose proxy speaks S3: a real object store on this machine, in Debian's packages.

One device, one replica, no authority but a password; `swift-*-server` as its deployment guide sets them up.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_ID, SECRET = "archive:writer", "a-secret-key"
REGION = "us-east-1"
PROXY = "proxy"
KINDS = ("account", "container", "object", PROXY)
PIPELINE = "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo"
READY_SECONDS = 60.0


class NoSwiftError(Exception):
    """Swift is not installed here."""


def find_swift() -> None:
    """Raise NoSwiftError where a program of it is missing."""
    for program in ("swift-ring-builder", *(f"swift-{kind}-server" for kind in KINDS)):
        if shutil.which(program) is None:
            raise NoSwiftError(f"no {program} here; make engine installs it, as root, on Debian")


@contextlib.contextmanager
def swift(folder: Path) -> Iterator[str]:
    """Serve S3 while inside; gives the endpoint. `folder` must take extended attributes."""
    find_swift()
    (folder / "devices" / "d1").mkdir(parents=True)
    ports = {kind: free_port() for kind in KINDS}
    _configure(folder, ports)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for kind in KINDS:
            with (folder / f"{kind}.log").open("wb") as log:
                servers.append(
                    subprocess.Popen(
                        [f"swift-{kind}-server", str(folder / f"{kind}.conf")], stdout=log, stderr=log
                    )
                )
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
                subprocess.run(
                    ["swift-ring-builder", str(folder / f"{kind}.builder"), *words],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )


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
