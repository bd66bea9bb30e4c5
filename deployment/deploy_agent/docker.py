"""The one file that speaks to Docker: its command line, and its socket for what that cannot ask."""

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
ASK_SECONDS = 60.0
TOO_LONG = 124
"""Exit code of what was ended because it took too long, as of timeout(1)."""


class Done(NamedTuple):
    """Exit code and what was said, both channels together."""

    code: int
    said: str


def docker(*words: str, seconds: float = ASK_SECONDS, settings: dict[str, str] | None = None) -> Done:
    """Run a command of Docker's, with nothing of the surroundings but what it needs."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(LOGINS.parents[1]), **(settings or {})}
    try:
        done = subprocess.run(
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
        return Done(TOO_LONG, f"docker {words[0]} took longer than {seconds:.0f} s")
    return Done(done.returncode, done.stdout.strip())


class _Engine(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ASK_SECONDS)
        self.sock.connect(SOCKET)


def ask_registry(image: str) -> str:
    """Return why the registry does not give an image, or nothing if it does; nothing is downloaded."""
    engine = _Engine("docker")
    try:
        path = f"/distribution/{urllib.parse.quote(image, safe='/:@')}/json"
        engine.request("GET", path, headers=_login(image.partition("/")[0]))
        reply = engine.getresponse()
        said = reply.read().decode("utf-8", "replace")
    except OSError as error:
        return f"Docker's engine does not answer: {error}"
    finally:
        engine.close()
    return "" if reply.status == http.HTTPStatus.OK else _message(said)


def _login(registry: str) -> dict[str, str]:
    """Return the header with what `docker login` left for a registry."""
    try:
        auth = json.loads(LOGINS.read_text("utf-8"))["auths"][registry]["auth"]
    except (OSError, KeyError, ValueError):
        return {}
    user, _, password = base64.b64decode(auth).decode().partition(":")
    told = json.dumps({"username": user, "password": password, "serveraddress": registry})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(told.encode()).decode()}


def _message(said: str) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.strip()[:200]
