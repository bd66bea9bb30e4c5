"""Swap prepared hours without a writer: for a person's command, while everything but Redis is stopped.

The writer's two rules hold here too: own the stream (flock), and swap only while Redis has no claim of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.archive.checkpoints import read_checkpoints
from services.archive.locks import archive_id, is_owned, owning
from services.archive.paths import archive_id_path
from services.archive.swap import pending_manifests, swap_prepared
from services.buffer.claims import Claims
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.lifecycle import Stopping

log = structlog.get_logger()


class SwapReport(NamedTuple):
    """The result of an offline swap."""

    swapped: int
    """Manifests that were executed, or discarded because the hour had changed."""
    not_swapped: dict[Stream, str]
    """Streams whose manifests remain, each with the reason."""


def offline_swap(root: Path, address: str, stopping: Stopping) -> SwapReport:
    """Execute all swap manifests of the streams that no writer owns.

    Raises BrokenInvariant, with the remedy, when Redis cannot be asked for claims or belongs to another
    archive: the events of a claim may be in the archive already, and would be written a second time.
    """
    waiting = [stream for stream in Stream if pending_manifests(root, stream)]
    swapped, not_swapped = 0, {}
    for stream in waiting:
        # A chunk of any stream may have rows in `rejects`.
        touched = tuple(Stream) if stream is Stream.REJECTS else (stream,)
        if any(is_owned(root, one) for one in touched):
            not_swapped[stream] = "its writer swaps them at its next round"
            continue
        with owning(root, touched):
            claimed = _claimed(root, touched, address, stopping)
            if claimed:
                not_swapped[stream] = f"Redis holds a claim of {claimed[0]}: run the writer with --once first"
                continue
            try:
                swapped += sum(1 for _ in swap_prepared(root, stream))
            except OSError as error:
                raise Transient(f"cannot swap the prepared hours of {stream}: {error}") from error
    return SwapReport(swapped, not_swapped)


def _claimed(root: Path, streams: tuple[Stream, ...], address: str, stopping: Stopping) -> list[Stream]:
    """Return the streams of which Redis holds a claim. Does not fence, so a writer's connection stays."""
    if not _had_writer(root):
        return []
    claims = Claims(address, stopping)
    try:
        claims.open(fence=False)
        known = claims.position().archive_id
        if known is None:
            raise BrokenInvariant(
                "Redis knows no archive, so whether events are claimed cannot be decided; "
                "run the writer with --once, then this again"
            )
        archive_id(root, known)
        return [stream for stream in streams if claims.find(stream)]
    except Transient as error:
        raise BrokenInvariant(
            f"Redis cannot be asked whether events are claimed ({error}): start it, or set REDIS_URL; "
            "the prepared hours stay, and nothing was changed"
        ) from error
    finally:
        claims.close()


def _had_writer(root: Path) -> bool:
    """Whether a writer ever ran on this archive: a copy has the archive's id but no checkpoints."""
    return archive_id_path(root).exists() and bool(read_checkpoints(root))
