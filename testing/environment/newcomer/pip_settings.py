"""The machine's own pip settings, for a container on it: the same index, certificates and wheels.

They are handed over when the container starts, and written down nowhere.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FILE = "file://"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class PipSettings(NamedTuple):
    """What pip goes by here."""

    environment: dict[str, str]
    paths: tuple[Path, ...]
    """Files and folders that these values name."""

    def docker_words(self) -> list[str]:
        """Return `docker run`'s words; values come from its own environment, not from its command line."""
        mounts = [f"--volume={path.resolve()}:{path}:ro" for path in self.paths]
        return [*(f"--env={name}" for name in self.environment), *mounts]


def pip_settings() -> PipSettings:
    """Ask this machine's pip."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    environment = {name: os.environ[name] for name in PROXIES if name in os.environ}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        # `global.index-url`, `:env:.cert`: the part behind the last dot is the option.
        section, _, option = name.rpartition(".")
        if section in ("global", "install", ":env:"):
            environment["PIP_" + option.upper().replace("-", "_")] = str(ast.literal_eval(value))
    return PipSettings(environment, tuple(sorted(_paths(environment.values()))))


def _paths(values: object) -> set[Path]:
    """Return what lies on this machine. An index in a folder keeps its files beside that folder."""
    found = set()
    for word in " ".join(map(str, values)).split():  # type: ignore[call-overload]
        path = Path(word.removeprefix(FILE))
        if path.is_absolute() and path.exists():
            found.add(path.parent if word.startswith(FILE) else path)
    return found
