"""Whose turn it is to change the archive: the compactor's, a look at a time, or that of a person's erasure.

By locks of the kernel, which gives them back however a process dies. Who wants a turn of his own holds
`asking` from then on, and the compactor leaves `turn` to him after the hour in hand.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import IO, TYPE_CHECKING

from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.shared.lifecycle import Stopping

PATIENCE_SECONDS = 1800.0
"""The largest hour is merged in less, at the lowest priority too."""
_LOOK_SECONDS = 0.5


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Be the only compactor of an archive. Raises BrokenInvariant where there is another."""
    with _file(root, "compactor") as file:
        if not _is_taken(file):
            raise BrokenInvariant(f"another compactor works on {root}: wait for it, or stop it first")
        yield


@contextlib.contextmanager
def turn(root: Path) -> Iterator[bool]:
    """Take the compactor's turn; gives whether it is one, or somebody else is at work or asks to be."""
    with _file(root, "turn") as file:
        yield not is_asked_for(root) and _is_taken(file)


def is_asked_for(root: Path) -> bool:
    """Whether somebody wants a turn, or has it: the compactor then begins no further hour."""
    with _file(root, "asking") as file:
        return not _is_taken(file, fcntl.LOCK_SH)


@contextlib.contextmanager
def instead(root: Path, stopping: Stopping, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Take a turn of one's own as soon as the compactor's hour in hand is done; False when stopped before.

    Raises BrokenInvariant when `patience` seconds were not enough.
    """
    ends = time.monotonic() + patience
    with _file(root, "asking") as asking, _file(root, "turn") as file:
        for wanted in (asking, file):
            while not _is_taken(wanted):
                if time.monotonic() > ends:
                    raise BrokenInvariant(
                        f"something else has been changing {root} for {patience:g} s: run this again later, "
                        "or stop the compactor first"
                    )
                if stopping.sleep(_LOOK_SECONDS):
                    yield False
                    return
        yield True


@contextlib.contextmanager
def _file(root: Path, name: str) -> Iterator[IO[str]]:
    path = root / ".lock" / name
    try:
        path.parent.mkdir(exist_ok=True)
        file = path.open("a")
    except OSError as error:
        mend = f"mount the archive, and give the folder to user {os.getuid()}"
        raise BrokenInvariant(f"ARCHIVE_ROOT: {path.parent} cannot be written ({error}); {mend}") from error
    with file:
        yield file


def _is_taken(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    """Take a lock until its file is closed; whether it could be had."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
