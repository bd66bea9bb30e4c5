"""Checkpoints: for each stream the cursor up to which all events are committed, and the last epoch.

They lie in the archive: when Redis loses its volume, the writer sets the cursor to the oldest checkpoint.
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
    """Read the existing checkpoints. Syncs each first: a power cut must not take back one that was used.

    Raises Transient, or BrokenInvariant for a damaged checkpoint.
    """
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
    """Remove the staged files that killed writers left beside checkpoints; return how many.

    For the streams' owner only. Staged files of the epoch and the id may be another writer's, which then
    retries. Raises Transient.
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
    """Replace a stream's checkpoint, durably. Raises Transient."""
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
    """Return the highest epoch that was ever started, or 0. Raises Transient.

    An epoch may end before its first checkpoint, so checkpoints do not show it.
    """
    try:
        return int(epoch_path(root).read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Transient(f"cannot read {epoch_path(root)}: {error}") from error


def note_epoch(root: Path, epoch: int) -> None:
    """Record an epoch, durably, before it starts, so that no number is used twice. Raises Transient."""
    path = epoch_path(root)
    try:
        write_durably(root, path, str(epoch).encode())
    except OSError as error:
        raise Transient(f"cannot write {path}: {error}") from error


def create_checkpoints(root: Path, streams: Iterable[Stream], cursor: bytes) -> None:
    """Write the checkpoints of a new archive, durably; keep those that exist. Raises Transient."""
    try:
        for stream in streams:
            path = checkpoint_path(root, stream)
            make_directories(root, path.parent)
            staged = stage(path, cursor)
            with contextlib.suppress(FileExistsError):
                # Unlike a rename, a link never replaces a file: of two writers the first one wins.
                os.link(staged, path)
            staged.unlink()
            reach(CrashPoint.RECOVER_CHECKPOINT_CREATED)
        for directory in up_to(root, [path]):
            sync_directory(directory)
    except OSError as error:
        raise Transient(f"cannot write the checkpoints of {root}: {error}") from error
