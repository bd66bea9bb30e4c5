"""The named moments at which a process may die, and what recovery owes afterwards (design: the crash table).

Reaching one does nothing, unless a test has armed them: then the test decides whether we die here.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CrashPoint(StrEnum):
    """Every moment, in the order in which an event passes them."""

    RECOVER_SWEPT = "recover.swept"
    RECOVER_ID_STAGED = "recover.id_staged"
    RECOVER_CHECKPOINT_CREATED = "recover.checkpoint_created"
    RECOVER_CHECKPOINT_LOWERED = "recover.checkpoint_lowered"
    RECOVER_EPOCH_NOTED = "recover.epoch_noted"
    RECOVER_EPOCH_BEGUN = "recover.epoch_begun"
    RECOVER_CONFIRMED = "recover.confirmed"
    RECEIVE_RESUMED = "receive.resumed"
    RECEIVE_PAUSED = "receive.paused"
    BUFFER_BEFORE_EXEC = "buffer.before_exec"
    BUFFER_AFTER_EXEC = "buffer.after_exec"
    CLAIM_BEFORE_RENAME = "claim.before_rename"
    CLAIM_AFTER_RENAME = "claim.after_rename"
    CLAIM_FOUND = "claim.found"
    CLAIM_READ = "claim.read"
    ENCODE_BLOCK = "encode.block"
    COMMIT_STAGED = "commit.staged"
    COMMIT_BEFORE_RENAME = "commit.before_rename"
    COMMIT_AFTER_RENAME = "commit.after_rename"
    COMMIT_BEFORE_SYNC = "commit.before_sync"
    COMMIT_AFTER_SYNC = "commit.after_sync"
    COMMIT_DURABLE = "commit.durable"
    COMMIT_STRANGER_REMOVED = "commit.stranger_removed"
    ACK_BEFORE_TRIM = "ack.before_trim"
    ACK_AFTER_TRIM = "ack.after_trim"
    CHECKPOINT_BEFORE_RENAME = "checkpoint.before_rename"
    CHECKPOINT_AFTER_RENAME = "checkpoint.after_rename"
    COMPACT_STAGED = "compact.staged"
    COMPACT_PREPARED = "compact.prepared"
    COMPACT_MANIFEST = "compact.manifest"
    SWAP_NOTED = "swap.noted"
    SWAP_BEFORE_EXCHANGE = "swap.before_exchange"
    SWAP_AFTER_EXCHANGE = "swap.after_exchange"
    SWAP_HALF_WAY = "swap.half_way"
    SWAP_TRASHED = "swap.trashed"
    SWAP_TOLD = "swap.told"
    SWAP_DONE = "swap.done"
    SWAP_DISCARDED = "swap.discarded"
    COMPACT_GATHERED = "compact.gathered"
    COMPACT_PASSED = "compact.passed"
    COMPACT_PURGE = "compact.purge"
    COVERAGE_STAGED = "coverage.staged"


OWED = {
    CrashPoint.RECOVER_SWEPT: "Nothing: what was staged belongs to claims, and they are still there.",
    CrashPoint.RECOVER_ID_STAGED: "The staged file is swept; another id is made, nobody knew the first.",
    CrashPoint.RECOVER_CHECKPOINT_CREATED: "The missing ones are made like those there are; none twice.",
    CrashPoint.RECOVER_CHECKPOINT_LOWERED: "The oldest checkpoint stays, so the same cursor is chosen again.",
    CrashPoint.RECOVER_EPOCH_NOTED: "The epoch is still owed; it begins under a number above the noted one.",
    CrashPoint.RECOVER_EPOCH_BEGUN: "Nothing: cursor, epoch, id and counts came in one transaction.",
    CrashPoint.RECOVER_CONFIRMED: "Nothing: the ingester may go on while the writer is away.",
    CrashPoint.RECEIVE_RESUMED: "The next ingester reads the same cursor and identities and subscribes anew.",
    CrashPoint.RECEIVE_PAUSED: "The cursor stays; the next ingester sees by itself that there is no room.",
    CrashPoint.BUFFER_BEFORE_EXEC: "The stored cursor is before these events: they are received again.",
    CrashPoint.BUFFER_AFTER_EXEC: "Events are buffered, the cursor stands behind them; none is pushed again.",
    CrashPoint.CLAIM_BEFORE_RENAME: "The buffer is whole; it is claimed again.",
    CrashPoint.CLAIM_AFTER_RENAME: "The claim is found by SCAN and finished before anything is claimed.",
    CrashPoint.CLAIM_FOUND: "The claim is found again.",
    CrashPoint.CLAIM_READ: "The claim is as it was: reading takes nothing away.",
    CrashPoint.ENCODE_BLOCK: "Nothing was written; the chunk is read again.",
    CrashPoint.COMMIT_STAGED: "The staged file is swept; the chunk is read again.",
    CrashPoint.COMMIT_BEFORE_RENAME: "All staged files are swept; the chunk is read again.",
    CrashPoint.COMMIT_AFTER_RENAME: "Some parts are in place: the same names are overwritten.",
    CrashPoint.COMMIT_BEFORE_SYNC: "All parts are in place, the directories perhaps not durable: both again.",
    CrashPoint.COMMIT_AFTER_SYNC: "Some directories are durable: all of them are synced again.",
    CrashPoint.COMMIT_DURABLE: "The chunk is read again, the same names are overwritten, then it is acked.",
    CrashPoint.COMMIT_STRANGER_REMOVED: "What else bears the chunk's id is removed at the next attempt.",
    CrashPoint.ACK_BEFORE_TRIM: "As above: committed, not acked, so committed again under the same names.",
    CrashPoint.ACK_AFTER_TRIM: "The rest of the claim is found by SCAN; what was acked is gone.",
    CrashPoint.CHECKPOINT_BEFORE_RENAME: "The old checkpoint stands, which is older and therefore safe.",
    CrashPoint.CHECKPOINT_AFTER_RENAME: "Either checkpoint may stand after a power cut; both are true.",
    CrashPoint.COMPACT_STAGED: "The staged files are swept; the hour is as it was and merged again.",
    CrashPoint.COMPACT_PREPARED: "No manifest names the prepared files: they are swept, and merged again.",
    CrashPoint.COMPACT_MANIFEST: "The swap is owed; if the hour changed meanwhile, a new merge is.",
    CrashPoint.SWAP_NOTED: "What is noted as removed counts only once it is gone; the removal is owed.",
    CrashPoint.SWAP_BEFORE_EXCHANGE: "The hour holds its inputs: the exchange is done now.",
    CrashPoint.SWAP_AFTER_EXCHANGE: "The hour holds the outputs: the inputs still go to the trash.",
    CrashPoint.SWAP_HALF_WAY: "No exchange here: the inputs are in the trash, the outputs still go in.",
    CrashPoint.SWAP_TRASHED: "The hour holds the outputs: only the manifest is taken away.",
    CrashPoint.SWAP_TOLD: "The report tells of it, and tells once: only the manifest is taken away.",
    CrashPoint.SWAP_DONE: "Nothing: the next look finds no manifest.",
    CrashPoint.SWAP_DISCARDED: "No manifest names the prepared files: they are swept.",
    CrashPoint.COMPACT_GATHERED: "What was gathered of deletions is swept, and gathered again.",
    CrashPoint.COMPACT_PASSED: "Nothing: the next pass is of what is deleted from then on.",
    CrashPoint.COMPACT_PURGE: "What is left of the trash is as old as before, and deleted next time.",
    CrashPoint.COVERAGE_STAGED: "The staged table is swept; the day is counted again.",
}
"""What the next start has to do about a death at each of them."""

_armed: list[Callable[[CrashPoint], None]] = []


def reach(point: CrashPoint) -> None:
    """Say that this moment has come."""
    for action in _armed:
        action(point)


@contextmanager
def armed(action: Callable[[CrashPoint], None]) -> Iterator[None]:
    """Have `action` called at every moment meanwhile; for tests that run a daemon's main() inside."""
    _armed.append(action)
    try:
        yield
    finally:
        _armed.remove(action)
