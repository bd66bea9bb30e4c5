"""Lines for the person who waits: each with the time since the start, none with a secret."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Say = Callable[[str], None]

SHORTEST_SECRET = 8
MASK = "***"


def secret_values(folder: Path) -> list[str]:
    """Return every line of every secret file that is long enough to be one."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    lines = [line.strip() for file in files for line in file.read_text("utf-8", "replace").splitlines()]
    # The longest first: one may contain another.
    return sorted({line for line in lines if len(line) >= SHORTEST_SECRET}, key=len, reverse=True)


def speaker(secrets: list[str], began: float) -> Say:
    """Return what prints a text, line by line."""

    def say(text: str) -> None:
        for secret in secrets:
            text = text.replace(secret, MASK)
        for line in text.splitlines():
            print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)  # noqa: T201 - its purpose

    return say
