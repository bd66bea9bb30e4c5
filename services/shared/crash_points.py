"""The named points at which a test may kill a process.

Reaching one does nothing, unless a test has armed them: then the test decides whether the process dies here.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CrashPoint(StrEnum):
    """Every point, in the order in which an event passes them, and what the next start does after it."""

    RECOVER_SWEPT = "recover.swept"
    """Nothing: staged files belong to claims, and the claims are still in Redis."""
    RECOVER_ID_STAGED = "recover.id_staged"
    """Removes the staged file and makes another id; Redis never had the first."""
    RECOVER_CHECKPOINT_CREATED = "recover.checkpoint_created"
    """Creates the missing checkpoints with the same position; none is written twice."""
    RECOVER_CHECKPOINT_LOWERED = "recover.checkpoint_lowered"
    """Chooses the same cursor: the oldest checkpoint is never changed."""
    RECOVER_EPOCH_NOTED = "recover.epoch_noted"
    """Begins the epoch under a number above the noted one."""
    RECOVER_EPOCH_BEGUN = "recover.epoch_begun"
    """Nothing: cursor, epoch, id and counts were stored in one transaction."""
    RECOVER_CONFIRMED = "recover.confirmed"
    """Nothing: the ingester continues without the writer."""
    RECEIVE_RESUMED = "receive.resumed"
    """Reads the same cursor and identities and subscribes again."""
    RECEIVE_PAUSED = "receive.paused"
    """Pauses again: the cursor is unchanged and Redis still has no room."""
    BUFFER_BEFORE_EXEC = "buffer.before_exec"
    """Receives the events again: the stored cursor lies before them."""
    BUFFER_AFTER_EXEC = "buffer.after_exec"
    """Pushes none of them again: events are buffered and the cursor lies behind them."""
    CLAIM_BEFORE_RENAME = "claim.before_rename"
    """Claims the buffer, which is unchanged."""
    CLAIM_AFTER_RENAME = "claim.after_rename"
    """Finds the claim by SCAN and finishes it before it claims anything else."""
    CLAIM_FOUND = "claim.found"
    """Finds the claim again."""
    CLAIM_READ = "claim.read"
    """Reads the claim again: reading does not change it."""
    ENCODE_BLOCK = "encode.block"
    """Reads the chunk again; nothing was written."""
    COMMIT_STAGED = "commit.staged"
    """Removes the staged file and reads the chunk again."""
    COMMIT_BEFORE_RENAME = "commit.before_rename"
    """Removes all staged files and reads the chunk again."""
    COMMIT_AFTER_RENAME = "commit.after_rename"
    """Overwrites the parts that are in place under the same names."""
    COMMIT_BEFORE_SYNC = "commit.before_sync"
    """Writes all parts and syncs all directories again."""
    COMMIT_AFTER_SYNC = "commit.after_sync"
    """Syncs all directories again."""
    COMMIT_DURABLE = "commit.durable"
    """Reads the chunk again, overwrites the same names, then acks it."""
    COMMIT_STALE_PART_REMOVED = "commit.stale_part_removed"
    """Removes the other files with the chunk's id at the next attempt."""
    ACK_BEFORE_TRIM = "ack.before_trim"
    """Commits the chunk again under the same names, then acks it."""
    ACK_AFTER_TRIM = "ack.after_trim"
    """Finds the rest of the claim by SCAN."""
    CHECKPOINT_BEFORE_RENAME = "checkpoint.before_rename"
    """Uses the old checkpoint, which is safe."""
    CHECKPOINT_AFTER_RENAME = "checkpoint.after_rename"
    """Uses the new checkpoint, or after a power cut the old one; both are correct."""
    COMPACT_STAGED = "compact.staged"
    """Removes the staged files and merges the hour again."""
    COMPACT_PREPARED = "compact.prepared"
    """Removes the prepared files, which no manifest names, and merges the hour again."""
    COMPACT_MANIFEST = "compact.manifest"
    """Swaps the hour; if it changed since, merges it again."""
    SWAP_NOTED = "swap.noted"
    """Removes the files; the note counts only once they are gone."""
    SWAP_BEFORE_EXCHANGE = "swap.before_exchange"
    """Exchanges the directories: the hour still holds its inputs."""
    SWAP_AFTER_EXCHANGE = "swap.after_exchange"
    """Moves the inputs to the replaced files: the hour holds the outputs."""
    SWAP_HALF_WAY = "swap.half_way"
    """Moves the outputs in: the file system cannot exchange directories, and the inputs were moved out."""
    SWAP_REPLACED = "swap.replaced"
    """Gives the replaced files their suffix."""
    SWAP_MARKED = "swap.marked"
    """Reports a rewritten hour, then removes the manifest."""
    SWAP_REWRITE_NOTED = "swap.rewrite_noted"
    """Removes the manifest; the hour is reported once."""
    SWAP_DONE = "swap.done"
    """Nothing: there is no manifest any more."""
    SWAP_DISCARDED = "swap.discarded"
    """Removes the prepared files, which no manifest names."""
    COMPACT_COLLECTED = "compact.collected"
    """Removes the collected deletions and collects them again."""
    COMPACT_DELETIONS_NOTED = "compact.deletions_noted"
    """Nothing: the next pass applies later deletions."""
    COMPACT_PURGE = "compact.purge"
    """Deletes the rest of the replaced files at the next purge."""
    COVERAGE_STAGED = "coverage.staged"
    """Removes the staged table and counts the day again."""


_armed: list[Callable[[CrashPoint], None]] = []


def reach(point: CrashPoint) -> None:
    """Run what a test armed, at this point."""
    for action in _armed:
        action(point)


@contextmanager
def armed(action: Callable[[CrashPoint], None]) -> Iterator[None]:
    """Call `action` at every point while the context lasts; for tests that run a daemon's main() inside."""
    _armed.append(action)
    try:
        yield
    finally:
        _armed.remove(action)
