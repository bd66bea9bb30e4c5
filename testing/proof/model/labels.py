"""The names of all steps: what the daemons do by themselves, and what befalls them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Move(StrEnum):
    """A step that needs no fault."""

    RESUME = "resume"
    BUFFER = "buffer"
    CURSOR = "store cursor"
    BUFFER_REST = "buffer the rest"
    REFUSED = "push refused"
    LATE_LANDS = "late command lands"
    REDIS_SYNCS = "Redis syncs"
    START = "checkpoint of the start"
    MAKE_SURE = "make sure"
    PLAN = "plan an epoch"
    LOWER = "lower checkpoint"
    SYNC_CHECKPOINT = "sync checkpoint"
    NOTE = "note epoch"
    BEGIN = "begin epoch"
    ROUND = "round"
    CLAIM = "claim"
    EMPTY = "nothing to claim"
    SCAN = "scan"
    COMMIT = "commit"
    SYNC = "sync parts"
    ACK = "ack"
    ACK_REFUSED = "ack refused"
    MARK = "checkpoint"
    VOID = "round void"
    EARLY = "round ends early"


class Fault(StrEnum):
    """A step that the bounds count. A closed list: what a run of the daemons can be asked to play."""

    INGESTER_KILLED = "ingester killed"
    WRITER_KILLED = "writer killed"
    REDIS_KILLED = "Redis killed"
    POWER_CUT = "power cut"
    PUSH_REPLY_LOST = "reply to push lost"
    ACK_REPLY_LOST = "reply to ack lost"
    PUSH_LATE = "push delayed"
    ACK_LATE = "ack delayed"
    CLAIM_LATE = "claim delayed"
    VOLUME_LOST = "volume lost"
    COPY_MADE = "backup made"
    COPY_RESTORED = "backup restored"
    REDIS_FULL = "Redis full"
    CURSOR_TOUCHED = "cursor touched"
    CHUNK_CHANGED = "writer killed, chunk size changed"
    HOST_CHANGED = "host changed"
    COMPACTED = "compaction"


class Label(NamedTuple):
    """One step."""

    what: Move | Fault
    of: tuple[int, ...] = ()
    """Events, or a stream, or an epoch."""

    def __str__(self) -> str:
        return f"{self.what} {','.join(map(str, self.of))}" if self.of else str(self.what)
