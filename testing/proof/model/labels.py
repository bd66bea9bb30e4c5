"""The names of all steps and faults, and traces of them as text."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Move(StrEnum):
    """A step of a daemon or of Redis without any fault."""

    RESUME = "resume"
    BUFFER = "buffer"
    CURSOR = "store cursor"
    BUFFER_REST = "buffer the rest"
    REFUSED = "push refused"
    DELAYED_RUNS = "delayed command runs"
    REDIS_SYNCS = "Redis syncs"
    START = "start checkpoint"
    CONFIRM = "confirm cursor"
    PLAN = "plan an epoch"
    LOWER = "set back checkpoint"
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
    CHECKPOINT = "checkpoint"
    VOID = "void round"
    EARLY = "round ends early"


class Fault(StrEnum):
    """A fault; the bounds limit how many there are."""

    INGESTER_KILLED = "ingester killed"
    WRITER_KILLED = "writer killed"
    REDIS_KILLED = "Redis killed"
    POWER_CUT = "power cut"
    PUSH_REPLY_LOST = "reply to push lost"
    ACK_REPLY_LOST = "reply to ack lost"
    PUSH_DELAYED = "push delayed"
    ACK_DELAYED = "ack delayed"
    CLAIM_DELAYED = "claim delayed"
    VOLUME_LOST = "volume lost"
    BACKUP_MADE = "backup made"
    BACKUP_RESTORED = "backup restored"
    REDIS_FULL = "Redis full"
    CURSOR_TOUCHED = "cursor touched"
    CHUNK_CHANGED = "writer killed, chunk size changed"
    HOST_CHANGED = "host changed"
    COMPACTED = "compaction"


class Label(NamedTuple):
    """One step."""

    what: Move | Fault
    of: tuple[int, ...] = ()
    """Events, a stream or an epoch."""

    def __str__(self) -> str:
        return f"{self.what} {','.join(map(str, self.of))}" if self.of else str(self.what)


OF_INGESTER = {Move.RESUME: "receive", Move.BUFFER: "buffer", Move.BUFFER_REST: "buffer"}
OF_WRITER = {
    Move.PLAN: "recover",
    Move.LOWER: "recover",
    Move.NOTE: "recover",
    Move.BEGIN: "recover",
    Move.CONFIRM: "recover",
    Move.ROUND: "claim",
    Move.CLAIM: "claim",
    Move.SCAN: "claim",
    Move.EMPTY: "claim",
    Move.COMMIT: "commit",
    Move.SYNC: "commit",
    Move.ACK: "ack",
    Move.CHECKPOINT: "checkpoint",
    Move.SYNC_CHECKPOINT: "checkpoint",
}
AT_COMMANDS = {
    Fault.PUSH_REPLY_LOST,
    Fault.ACK_REPLY_LOST,
    Fault.PUSH_DELAYED,
    Fault.ACK_DELAYED,
    Fault.CLAIM_DELAYED,
    Fault.CURSOR_TOUCHED,
    Fault.HOST_CHANGED,
    Fault.REDIS_FULL,
    Fault.COMPACTED,
}
"""Faults whose name says when they happen."""
OF_ONE_DAEMON = {Fault.INGESTER_KILLED, Fault.WRITER_KILLED, Fault.CHUNK_CHANGED}
DURING = {"claim": "in a round", "commit": "in a round", "ack": "in a round"}
"""For faults of Redis or the machine it does not matter how far a round is."""
BEGINNING = frozenset({Move.START, Move.PLAN, Move.NOTE, Move.BEGIN})


def describe_faults(trace: Sequence[Label]) -> tuple[str, ...]:
    """Return each fault of a trace and what the daemon had done last: `writer killed after commit`.

    Faults of Redis or of the machine are placed by the last step of the writer.
    """
    found = []
    ingester, writer = "start", "start"
    for label in trace:
        if isinstance(label.what, Move):
            ingester = OF_INGESTER.get(label.what, ingester)
            writer = OF_WRITER.get(label.what, writer)
        elif label.what in AT_COMMANDS:
            found.append(str(label.what))
        else:
            last = f"after {ingester if label.what is Fault.INGESTER_KILLED else writer}"
            if label.what not in OF_ONE_DAEMON:
                last = DURING.get(writer, last)
            found.append(f"{label.what} {last}")
    return tuple(found)


def line(trace: Sequence[Label]) -> str:
    """Return a trace on one line, without the archive start with which all traces begin."""
    start = next((at for at, label in enumerate(trace) if label.what not in BEGINNING), 0)
    return "; ".join(map(str, trace[start:]))
