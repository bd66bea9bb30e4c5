"""The only module that calls Docker: its command line, and its socket for registry look-ups."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import urllib.parse
from pathlib import Path
from typing import NamedTuple

SOCKET = "/var/run/docker.sock"
LOGINS = Path("/root/.docker/config.json")
TIMEOUT_SECONDS = 60.0
TIMED_OUT = 124
"""Exit code of a command that was killed after its timeout, as timeout(1) has it."""


class Completed(NamedTuple):
    """Exit code, and standard output and error together."""

    code: int
    output: str


def docker(
    *words: str, seconds: float = TIMEOUT_SECONDS, settings: dict[str, str] | None = None
) -> Completed:
    """Run a docker command with PATH, HOME and `settings` as its whole environment."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(LOGINS.parents[1]), **(settings or {})}
    try:
        completed = subprocess.run(
            ["docker", *words],
            check=False,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return Completed(TIMED_OUT, f"docker {words[0]} took longer than {seconds:.0f} s")
    return Completed(completed.returncode, completed.stdout.strip())


class _Engine(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(SOCKET)


def ask_registry(image: str) -> str:
    """Return why the registry refuses an image, or "" if it has it; nothing is downloaded."""
    engine = _Engine("docker")
    try:
        path = f"/distribution/{urllib.parse.quote(image, safe='/:@')}/json"
        engine.request("GET", path, headers=_login(image.partition("/")[0]))
        reply = engine.getresponse()
        body = reply.read().decode("utf-8", "replace")
    except OSError as error:
        return f"Docker's engine does not answer: {error}"
    finally:
        engine.close()
    return "" if reply.status == http.HTTPStatus.OK else _message(body)


def _login(registry: str) -> dict[str, str]:
    """Return the authentication header with the credentials that `docker login` stored for a registry."""
    try:
        auth = json.loads(LOGINS.read_text("utf-8"))["auths"][registry]["auth"]
    except (OSError, KeyError, ValueError):
        return {}
    user, _, password = base64.b64decode(auth).decode().partition(":")
    credentials = json.dumps({"username": user, "password": password, "serveraddress": registry})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(credentials.encode()).decode()}


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip()[:200]
