"""Where a demo leaves its files: `.demo/<time>/`, kept to be looked at until the next demo begins.

`.demo/latest` leads to the newest.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = ".made-by-the-demo"
"""In every folder of ours; its flock is held while the demo runs."""

LATEST = "latest"


def make_folder(parent: Path) -> tuple[Path, IO[str]]:
    """Make this demo's folder; returns it with its lock, held until that is closed."""
    parent.mkdir(exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    folder, number = parent / name, 1
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    folder.mkdir()
    lock = (folder / MARK).open("w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    latest = parent / LATEST
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder, lock


def remove_older(parent: Path) -> list[Path]:
    """Remove the folders of demos that have ended, and nothing else; returns them."""
    removed = []
    for mark in sorted(parent.glob(f"*/{MARK}")):
        if mark.parent.is_symlink():
            continue
        with mark.open("r", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # that demo still runs
            shutil.rmtree(mark.parent)
            removed.append(mark.parent)
    return removed
