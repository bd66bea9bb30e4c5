"""Locks and the archive's id: who may change an archive.

Locks are flock locks below the root; the kernel releases them when their process dies. A writer owns its
streams, one compactor works at a time, and a command that changes hours takes `exclusive`: the compactor then
yields after the current hour.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from typing import IO, TYPE_CHECKING, Any

from services.archive.durable import make_directories, stage, sync_directory, sync_file, up_to
from services.archive.paths import LOCKS, archive_id_path, lock_path, refuse_old_layout
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping

EXCLUSIVE_TIMEOUT_SECONDS = 1800.0
"""Longer than the largest hour takes to merge, at the lowest priority too."""
_POLL_SECONDS = 0.5
_OWNER_ATTEMPTS = 20
_OWNER_PAUSE_SECONDS = 0.05
"""`is_owned` holds a shared lock for an instant: a writer that starts then retries, for a second in all."""


@contextlib.contextmanager
def owning(root: Path, streams: Iterable[Stream]) -> Iterator[None]:
    """Hold the locks of the streams, of a new archive too.

    Raises BrokenInvariant when another writer owns one of them.
    """
    with contextlib.ExitStack() as locks:
        for stream in streams:
            file = locks.enter_context(_lock_file(lock_path(root, stream), creates_root=True))
            for attempt in range(_OWNER_ATTEMPTS):
                if attempt:
                    time.sleep(_OWNER_PAUSE_SECONDS)
                if _lock(file):
                    break
            else:
                raise BrokenInvariant(
                    f"another writer owns the stream {stream} of {root}; stop it, or split WRITER_STREAMS"
                )
        yield


def is_owned(root: Path, stream: Stream) -> bool:
    """Return whether a writer owns the stream. Creates nothing, and takes a shared lock for an instant."""
    path = lock_path(root, stream)
    try:
        with path.open("rb") as file:
            return not _lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BrokenInvariant(f"{path} cannot be read ({error}): let user {os.getuid()} read it") from error


@contextlib.contextmanager
def compactor_lock(root: Path) -> Iterator[None]:
    """Be the only compactor of an archive. Raises BrokenInvariant when another one runs."""
    with _lock_file(root / LOCKS / "compactor") as file:
        if not _lock(file):
            raise BrokenInvariant(f"another compactor works on {root}: wait for it, or stop it first")
        yield


@contextlib.contextmanager
def compactor_pass(root: Path) -> Iterator[bool]:
    """Hold the lock of changing hours; yields False when a command holds or waits for `exclusive`."""
    with _lock_file(root / LOCKS / "changing") as file:
        yield not is_exclusive_wanted(root) and _lock(file)


def is_exclusive_wanted(root: Path) -> bool:
    """Return whether a command holds or waits for `exclusive`: the compactor then starts no further hour."""
    with _lock_file(root / LOCKS / "exclusive") as file:
        return not _lock(file, fcntl.LOCK_SH)


@contextlib.contextmanager
def exclusive(root: Path, stopping: Stopping, timeout: float = EXCLUSIVE_TIMEOUT_SECONDS) -> Iterator[bool]:
    """Wait until the compactor's current hour is done, then keep it and other commands from changing hours.

    Yields False when stopped while waiting. Raises BrokenInvariant after `timeout` seconds.
    """
    ends = time.monotonic() + timeout
    locks = root / LOCKS
    with _lock_file(locks / "exclusive") as wanted, _lock_file(locks / "changing") as changing:
        for file in (wanted, changing):
            while not _lock(file):
                if time.monotonic() > ends:
                    raise BrokenInvariant(
                        f"something else has been changing {root} for {timeout:g} s: run this again later, "
                        "or stop the compactor first"
                    )
                if stopping.sleep(_POLL_SECONDS):
                    yield False
                    return
        yield True


def archive_id(root: Path, known_to_redis: str | None) -> str:
    """Return the archive's id; create it for a new archive.

    Raises BrokenInvariant when Redis belongs to another archive, or to one that is not at `root`: otherwise
    the disk below an unmounted volume would be filled.
    """
    refuse_old_layout(root)
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
        raise Transient(f"{path} was created and has disappeared")
    if known_to_redis is None:
        # Redis stores it for good: a power cut must not take it back, whichever writer created it.
        try:
            sync_file(path)
            for directory in up_to(root, [path]):
                sync_directory(directory)
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
        path.parent.mkdir(exist_ok=True)
        staged = stage(path, secrets.token_hex(8).encode())
        reach(CrashPoint.RECOVER_ID_STAGED)
        with contextlib.suppress(FileExistsError):
            # Unlike a rename, a link never replaces a file: of two writers the first one wins.
            os.link(staged, path)
        staged.unlink()
    except OSError as error:
        raise Transient(f"cannot write {path}: {error}") from error


@contextlib.contextmanager
def _lock_file(path: Path, *, creates_root: bool = False) -> Iterator[IO[str]]:
    """Open a lock file. Only a writer creates the root: otherwise its absence means an unmounted volume."""
    try:
        root = path.parents[2]
        if creates_root:
            root.mkdir(parents=True, exist_ok=True)
        make_directories(root, path.parent)
        file = path.open("a")
    except OSError as error:
        remedy = f"mount the archive, and give the folder to user {os.getuid()}"
        raise BrokenInvariant(f"ARCHIVE_ROOT: {path.parent} cannot be written ({error}); {remedy}") from error
    with file:
        yield file


def _lock(file: IO[Any], kind: int = fcntl.LOCK_EX) -> bool:
    """Take a lock until the file is closed; return False when another process holds it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
