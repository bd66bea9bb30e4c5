"""Checkpoints: for each stream the cursor up to which everything is committed, beside the archive.

They outlive Redis: when its volume is lost the writer sets the cursor from the oldest of them.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from services.archive.durable import make_directories, stage, sync_directory, sync_file, up_to, write_durably
from services.archive.paths import ARCHIVE_ID, CHECKPOINTS, EPOCH, checkpoint_path, epoch_path
from services.shared.crash_points import CrashPoint, reach
from services.shared.cursor import Cursor, decode_cursor
from services.shared.errors import Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read_checkpoints(root: Path) -> dict[Stream, Cursor]:
    """Read the checkpoints there are; each is synced before it is believed."""
    found: dict[Stream, Cursor] = {}
    try:
        for stream in Stream:
            path = checkpoint_path(root, stream)
            if path.exists():
                sync_file(path)
                found[stream] = decode_cursor(path.read_bytes(), str(path))
        if found:
            sync_directory(checkpoint_path(root, Stream.POSTS).parent)
    except OSError as error:
        raise Transient(f"cannot read the checkpoints of {root}: {error}") from error
    return found


def watermark_us(root: Path) -> int:
    """Return the time up to which all streams are committed, in microseconds; 0 before the first start."""
    checkpoints = read_checkpoints(root)
    return (
        min((cursor.time_us for cursor in checkpoints.values()), default=0)
        if len(checkpoints) == len(Stream)
        else 0
    )


def sweep_checkpoints(root: Path, streams: Iterable[Stream]) -> int:
    """Remove what killed writers left staged beside these streams' checkpoints; return how many files.

    For the streams' owner only. The epoch's and the id's may be another writer's, which then tries again.
    """
    try:
        beside = [path for stream in streams for path in (root / CHECKPOINTS).glob(f"{stream}.*.tmp")]
        staged = [*beside, *root.glob(f"{EPOCH}.*.tmp"), *root.glob(f"{ARCHIVE_ID}.*.tmp")]
        for path in staged:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise Transient(f"cannot sweep the checkpoints of {root}: {error}") from error
    return len(staged)


def write_checkpoint(root: Path, stream: Stream, cursor: bytes) -> None:
    """Move a stream's checkpoint, durably."""
    path = checkpoint_path(root, stream)
    try:
        staged = stage(path, cursor)
        reach(CrashPoint.CHECKPOINT_BEFORE_RENAME)
        staged.replace(path)
        reach(CrashPoint.CHECKPOINT_AFTER_RENAME)
        sync_directory(path.parent)
    except OSError as error:
        raise Transient(f"cannot write {path}: {error}") from error


def used_epoch(root: Path) -> int:
    """Return the highest epoch ever begun, or 0; checkpoints alone do not tell of one that died young."""
    try:
        return int(epoch_path(root).read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Transient(f"cannot read {epoch_path(root)}: {error}") from error


def note_epoch(root: Path, epoch: int) -> None:
    """Remember an epoch, durably, before it is begun: no number is used twice."""
    path = epoch_path(root)
    try:
        write_durably(root, path, str(epoch).encode())
    except OSError as error:
        raise Transient(f"cannot write {path}: {error}") from error


def create_checkpoints(root: Path, streams: Iterable[Stream], cursor: bytes) -> None:
    """Write the checkpoints of a new archive, durably; those that exist stay as they are."""
    try:
        for stream in streams:
            path = checkpoint_path(root, stream)
            make_directories(root, path.parent)
            staged = stage(path, cursor)
            with contextlib.suppress(FileExistsError):
                # Unlike a rename a link never replaces: of two writers the first one wins.
                os.link(staged, path)
            staged.unlink()
            reach(CrashPoint.RECOVER_CHECKPOINT_CREATED)
        for directory in up_to(root, [path]):
            sync_directory(directory)
    except OSError as error:
        raise Transient(f"cannot write the checkpoints of {root}: {error}") from error
