"""A tool's two connections to Redis: one that pushes, one that looks whether it was committed."""

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


class Buffers:
    """The buffers of the archive at ARCHIVE_ROOT, for a tool."""

    def __init__(self, settings: Settings, stopping: Stopping) -> None:
        self._archive_id = _archive_id(settings.archive_root)
        self._stopping = stopping
        self.root = settings.archive_root
        self.pusher = OperatorPusher(settings.redis_address(), stopping)
        self.claims = Claims(settings.redis_address(), stopping)

    def open(self) -> None:
        """Open both connections anew and look at what must be true; raises Transient or BrokenInvariant."""
        self.claims.open(fence=False)
        self.pusher.open(self._archive_id)

    def close(self) -> None:
        """Close both."""
        self.claims.close()
        self.pusher.close()

    def until_done(self, work: Callable[[], T]) -> T | None:
        """Do it, again after every doubt, with fresh connections; None when stopped."""
        return until_done(work, self._stopping, self._failed)

    def _failed(self, _: Transient) -> None:
        until_done(self.open, self._stopping, lambda _: None)


def _archive_id(root: Path) -> str:
    try:
        return archive_id_path(root).read_text(encoding="ascii").strip()
    except OSError as error:
        raise BrokenInvariant(
            f"ARCHIVE_ROOT: {root} is no archive ({error}); give the archive's folder"
        ) from error


class Moment(NamedTuple):
    """The age of the cursor as it was read at that moment, or after it."""

    epoch: int
    push: int

    @classmethod
    def of(cls, cursor: Cursor) -> Moment:
        """Return the moment at which the cursor was this one."""
        return cls(*cursor.age())


class EpochEnded(Transient):
    """Redis lost its data since that moment, and with it perhaps what was not committed."""


def unsettled(claims: Claims, root: Path, moment: Moment, streams: Iterable[Stream]) -> list[Stream]:
    """Return the streams of which something may still wait that was in Redis at `moment`.

    Raises EpochEnded when that can no longer be known.
    """
    checkpoints = read_checkpoints(root)
    behind = [stream for stream in streams if not _is_past(checkpoints.get(stream), moment)]
    # In the direction of the flow: what had left the buffer then and is in no claim now is committed.
    depths = claims.depths(behind) if behind else {}
    waiting = [stream for stream in behind if depths[stream] or claims.find(stream)]
    if claims.position().epoch != moment.epoch:
        raise EpochEnded("Redis lost its data meanwhile")
    return waiting


def _is_past(checkpoint: Cursor | None, moment: Moment) -> bool:
    return checkpoint is not None and checkpoint.epoch == moment.epoch and checkpoint.push > moment.push
