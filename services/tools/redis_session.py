"""A command's session with Redis, and waiting until what Redis held is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from services.archive.checkpoints import read_checkpoints
from services.archive.paths import archive_id_path
from services.buffer.claims import Claims
from services.buffer.operator_push import OperatorPusher
from services.shared.errors import BrokenInvariant, Transient
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from services.shared.cursor import Cursor
    from services.shared.event import Stream
    from services.shared.lifecycle import Stopping
    from services.shared.settings import Settings

T = TypeVar("T")


class RedisSession:
    """Two connections to the Redis of the archive at ARCHIVE_ROOT: one pushes, one reads claims."""

    def __init__(self, settings: Settings, stopping: Stopping) -> None:
        self._archive_id = _archive_id(settings.archive_root)
        self._stopping = stopping
        self.root = settings.archive_root
        self.pusher = OperatorPusher(settings.redis_address(), stopping)
        self.claims = Claims(settings.redis_address(), stopping)

    def open(self) -> None:
        """Open both connections anew and check that Redis belongs to this archive.

        Raises Transient while Redis or the writer is not ready, BrokenInvariant for another archive's Redis.
        """
        self.claims.open(fence=False)
        self.pusher.open(self._archive_id)

    def close(self) -> None:
        """Close both connections."""
        self.claims.close()
        self.pusher.close()

    def until_done(self, work: Callable[[], T]) -> T | None:
        """Call `work` until it does not raise Transient, on new connections each time.

        Returns what `work` returned, or None when stopped.
        """
        return until_done(work, self._stopping, self._failed)

    def _failed(self, _: Transient) -> None:
        until_done(self.open, self._stopping, lambda _: None)


def _archive_id(root: Path) -> str:
    try:
        return archive_id_path(root).read_text(encoding="ascii").strip()
    except OSError as error:
        raise BrokenInvariant(
            f"ARCHIVE_ROOT: {root} is no archive ({error}); set it to the archive's folder"
        ) from error


class Position(NamedTuple):
    """Epoch and push number of a cursor that was read from Redis."""

    epoch: int
    push: int

    @classmethod
    def of(cls, cursor: Cursor) -> Position:
        """Return the position of a cursor."""
        return cls(*cursor.age())


class EpochEnded(Transient):
    """Redis lost its data since the position was read, and with it perhaps events that were not committed."""


def uncommitted(claims: Claims, root: Path, position: Position, streams: Iterable[Stream]) -> list[Stream]:
    """Return the streams that may still have uncommitted events of those in Redis at `position`.

    A stream is committed if its checkpoint is later than the position (the writer reads the cursor before it
    claims), or if its buffer is empty and it has no claim. Raises EpochEnded when the epoch is another.
    """
    checkpoints = read_checkpoints(root)
    behind = [stream for stream in streams if not _is_past(checkpoints.get(stream), position)]
    # RedisSession first, then claims, as events move: what left its buffer and is in no claim is committed.
    depths = claims.depths(behind) if behind else {}
    waiting = [stream for stream in behind if depths[stream] or claims.find(stream)]
    if claims.position().epoch != position.epoch:
        raise EpochEnded("Redis lost its data meanwhile")
    return waiting


def _is_past(checkpoint: Cursor | None, position: Position) -> bool:
    return checkpoint is not None and checkpoint.epoch == position.epoch and checkpoint.push > position.push
