"""A trace on one line, and the moments of its faults: the words in which a scenario says what it plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Fault, Label, Move

if TYPE_CHECKING:
    from collections.abc import Sequence

OF_INGESTER = {Move.RESUME: "receive", Move.BUFFER: "buffer", Move.BUFFER_REST: "buffer"}
OF_WRITER = {
    Move.PLAN: "recover",
    Move.LOWER: "recover",
    Move.NOTE: "recover",
    Move.BEGIN: "recover",
    Move.MAKE_SURE: "recover",
    Move.ROUND: "claim",
    Move.CLAIM: "claim",
    Move.SCAN: "claim",
    Move.EMPTY: "claim",
    Move.COMMIT: "commit",
    Move.SYNC: "commit",
    Move.ACK: "ack",
    Move.MARK: "checkpoint",
    Move.SYNC_CHECKPOINT: "checkpoint",
}
AT_COMMANDS = {
    Fault.PUSH_REPLY_LOST,
    Fault.ACK_REPLY_LOST,
    Fault.PUSH_LATE,
    Fault.ACK_LATE,
    Fault.CLAIM_LATE,
    Fault.CURSOR_TOUCHED,
    Fault.HOST_CHANGED,
    Fault.REDIS_FULL,
    Fault.COMPACTED,
}
"""Faults that say themselves when they fall."""
OF_ONE_DAEMON = {Fault.INGESTER_KILLED, Fault.WRITER_KILLED, Fault.CHUNK_CHANGED}
DURING = {"claim": "in a round", "commit": "in a round", "ack": "in a round"}
"""What befalls Redis or the machine does not ask how far a round has come."""
BEGINNING = frozenset({Move.START, Move.PLAN, Move.NOTE, Move.BEGIN})


def moments(trace: Sequence[Label]) -> tuple[str, ...]:
    """Name each fault of a trace and what its victim did last, in order: `writer killed after commit`.

    What befalls Redis or the machine is placed by the writer's last word.
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
    """Put a trace on one line, without the archive start that all of them begin with."""
    start = next((at for at, label in enumerate(trace) if label.what not in BEGINNING), 0)
    return "; ".join(map(str, trace[start:]))
