"""Durable changes to files: what has returned survives a power cut, and no reader sees half of it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
"""Errors of a kernel or file system without an exchanging rename."""


def make_directories(root: Path, directory: Path) -> None:
    """Create missing directories below the root, never the root: its absence means an unmounted volume."""
    for missing in reversed([directory, *directory.parents]):
        if missing.is_relative_to(root) and missing != root:
            missing.mkdir(exist_ok=True)


def up_to(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return every directory from the paths' parents up to and including the root, the deepest first.

    Not only the directories just created: an earlier attempt may have created them and died before the sync.
    """
    found = {parent for path in paths for parent in path.parents if parent.is_relative_to(root)}
    return sorted(found, key=lambda directory: len(directory.parts), reverse=True)


def sync_open(file: IO[bytes]) -> None:
    """Make what was written to an open file durable. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Make a file's content durable. Raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """Make a directory's entries durable. Raises OSError."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def stage(path: Path, content: bytes) -> Path:
    """Write a small file beside `path`, durably, and return it: to be renamed or linked to `path`.

    A killed process leaves it as `<name>.<process id>.tmp`. Raises OSError.
    """
    staged = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with staged.open("wb") as file:
        file.write(content)
        sync_open(file)
    return staged


def publish(root: Path, staged: Path, path: Path) -> None:
    """Rename a durable file or directory to `path`, and make the rename durable. Raises OSError."""
    make_directories(root, path.parent)
    staged.replace(path)
    for directory in up_to(root, [path]):
        sync_directory(directory)


def write_durably(root: Path, path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, and its directories below the root. Raises OSError."""
    make_directories(root, path.parent)
    publish(root, stage(path, content), path)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two directories of one file system in one step; return False where that is not supported.

    Linux: renameat2 with RENAME_EXCHANGE (ext4, XFS, Btrfs, tmpfs). macOS: renamex_np with RENAME_SWAP
    (APFS). Raises OSError.
    """
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(first, second, ctypes.c_uint(_RENAME_SWAP))
    elif hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE))
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
