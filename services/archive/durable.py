"""What a power cut may not take back: directories, and small files that are written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def make_directories(root: Path, directory: Path) -> None:
    """Make what is missing below the root, never the root: its absence means an unmounted volume."""
    for missing in reversed([directory, *directory.parents]):
        if missing.is_relative_to(root) and missing != root:
            missing.mkdir(exist_ok=True)


def up_to(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return every directory between the root and the files, both ends too, the deepest first.

    Not only those just made: an attempt before this one may have made them and died before it synced them.
    """
    found = {parent for path in paths for parent in path.parents if parent.is_relative_to(root)}
    return sorted(found, key=lambda directory: len(directory.parts), reverse=True)


def sync_directory(directory: Path) -> None:
    """Make a directory's entries durable. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(root: Path, path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, its directories below the root too. Raises OSError."""
    make_directories(root, path.parent)
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    for directory in up_to(root, [path]):
        sync_directory(directory)
