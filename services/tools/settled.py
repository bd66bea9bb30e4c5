"""Is everything committed that was in Redis at a certain moment? For what may be done only then.

A checkpoint later than the cursor of that moment says so, because a round reads the cursor before it claims;
and where the cursor stands still, an empty buffer with no claim does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.checkpoints import read_checkpoints
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.buffer.claims import Claims
    from services.shared.cursor import Cursor
    from services.shared.event import Stream


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
    waiting = [stream for stream in behind if depths[stream] or claims.found(stream)]
    if claims.position().epoch != moment.epoch:
        raise EpochEnded("Redis lost its data meanwhile")
    return waiting


def _is_past(checkpoint: Cursor | None, moment: Moment) -> bool:
    return checkpoint is not None and checkpoint.epoch == moment.epoch and checkpoint.push > moment.push
