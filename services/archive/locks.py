"""Whose archive this is, and who may write to it: an id that Redis knows too, and a lock a stream."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from typing import TYPE_CHECKING

from services.archive.durable import stage, sync_directory, sync_file
from services.archive.paths import archive_id_path, lock_path
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.shared.event import Stream


@contextlib.contextmanager
def owning(root: Path, streams: Iterable[Stream]) -> Iterator[None]:
    """Own the streams: the kernel gives the locks back when this process dies, however it dies.

    Raises BrokenInvariant when another writer owns one of them.
    """
    with contextlib.ExitStack() as locks:
        for stream in streams:
            path = lock_path(root, stream)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = locks.enter_context(path.open("a"))
            except OSError as error:
                mend = f"give the folder to user {os.getuid()}"
                raise BrokenInvariant(
                    f"ARCHIVE_ROOT: {path.parent} cannot be written ({error}); {mend}"
                ) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BrokenInvariant(
                    f"another writer owns the stream {stream} of {root}; stop it, or split WRITER_STREAMS"
                ) from error
        yield


def is_owned(root: Path, stream: Stream) -> bool:
    """Whether a writer owns the stream just now."""
    try:
        with owning(root, [stream]):
            return False
    except BrokenInvariant:
        return True


def archive_id(root: Path, known_to_redis: str | None) -> str:
    """Return the archive's id, made when it starts.

    Raises BrokenInvariant when Redis belongs to another archive, or to one that is not here: an unmounted
    volume would otherwise be filled on the disk below it.
    """
    path = archive_id_path(root)
    mine = _read(path)
    if mine is None:
        if known_to_redis is not None:
            raise BrokenInvariant(
                f"Redis holds events of archive {known_to_redis}, and {root} is no archive: "
                "mount the right volume at ARCHIVE_ROOT, or give this archive an empty Redis"
            )
        _create(path)
        mine = _read(path)
    if known_to_redis not in (None, mine):
        raise BrokenInvariant(
            f"Redis holds events of archive {known_to_redis}, and {root} is archive {mine}: "
            "point ARCHIVE_ROOT or REDIS_URL at the other one"
        )
    if mine is None:
        raise Transient(f"{path} was made and is gone")
    if known_to_redis is None:
        # Redis will know it for good: a power cut must not take it back, whoever made it.
        try:
            sync_file(path)
            sync_directory(path.parent)
        except OSError as error:
            raise Transient(f"cannot sync {path}: {error}") from error
    return mine


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Transient(f"cannot read {path}: {error}") from error


def _create(path: Path) -> None:
    try:
        staged = stage(path, secrets.token_hex(8).encode())
        reach(CrashPoint.RECOVER_ID_STAGED)
        with contextlib.suppress(FileExistsError):
            # Unlike a rename a link never replaces: of two writers the first one wins.
            os.link(staged, path)
        staged.unlink()
    except OSError as error:
        raise Transient(f"cannot write {path}: {error}") from error
