"""Swap without a writer: for a person's command, while all is stopped but Redis.

The same two rules as the writer's: own the stream (its flock), and swap only while Redis has no claim of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.archive.checkpoints import read_checkpoints
from services.archive.locks import archive_id, is_owned, owning
from services.archive.paths import PREPARED, archive_id_path
from services.archive.swap import owed, swap_prepared
from services.buffer.claims import Claims
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.lifecycle import Stopping

log = structlog.get_logger()


class Released(NamedTuple):
    """What came of it."""

    swapped: int
    """Manifests that were done, or discarded because the hour had changed."""
    left: dict[Stream, str]
    """Streams with manifests that stay, and who will do them, or what is in the way."""


def release(root: Path, address: str, stopping: Stopping) -> Released:
    """Do what all manifests say, where no writer owns the stream.

    Raises BrokenInvariant with the mend when Redis cannot be asked for claims, or is another archive's: what
    a claim holds may be in the archive already, and would come twice.
    """
    waiting = [stream for stream in Stream if owed(root / PREPARED / stream.value)]
    swapped, left = 0, {}
    for stream in waiting:
        # Every stream's chunks may have rows in `rejects`.
        touched = tuple(Stream) if stream is Stream.REJECTS else (stream,)
        if any(is_owned(root, one) for one in touched):
            left[stream] = "its writer swaps them at its next round"
            continue
        with owning(root, touched):
            claimed = _claimed(root, touched, address, stopping)
            if claimed:
                left[stream] = f"Redis holds a claim of {claimed[0]}: run the writer with --once first"
                continue
            try:
                swapped += sum(1 for _ in swap_prepared(root, stream))
            except OSError as error:
                raise Transient(f"cannot swap what is prepared of {stream}: {error}") from error
    return Released(swapped, left)


def _claimed(root: Path, streams: tuple[Stream, ...], address: str, stopping: Stopping) -> list[Stream]:
    """Return the streams of which Redis has a claim. Looks only: a writer's connection is not fenced off."""
    if not _had_writer(root):
        return []
    claims = Claims(address, stopping)
    try:
        claims.open(fence=False)
        known = claims.position().archive_id
        if known is None:
            raise BrokenInvariant(
                "Redis knows no archive, so it cannot tell what is claimed; "
                "run the writer with --once, then this again"
            )
        archive_id(root, known)
        return [stream for stream in streams if claims.found(stream)]
    except Transient as error:
        raise BrokenInvariant(
            f"Redis cannot be asked whether events are claimed ({error}): start it, or set REDIS_URL; "
            "what is prepared stays, and nothing was changed"
        ) from error
    finally:
        claims.close()


def _had_writer(root: Path) -> bool:
    """Whether a writer ever worked here: a copy has the id of its archive, no checkpoints, and no Redis."""
    return archive_id_path(root).exists() and bool(read_checkpoints(root))
