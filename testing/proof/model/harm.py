"""What must never be: events that nothing holds and nothing brings again, events twice in the archive."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testing.proof.model.bounds import Model
    from testing.proof.model.state import Disk, State


class Harm(StrEnum):
    """What is wrong with a state."""

    NONE = "none"
    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    """Nothing can be done any more, and yet something waits."""
    CURSOR_AHEAD = "cursor ahead of what is buffered"
    CHECKPOINT_AHEAD = "checkpoint ahead of what is committed"


def harm(state: State, model: Model) -> Harm:
    """Return what a user would find: an event twice, or one that will never come.

    An event is lost when the cursor is past it, or the memory knows it, and neither the archive nor Redis nor
    a daemon's hand holds it; while an epoch is still to begin nothing is lost yet. Events that a lost volume
    or a backup made Redis forget may be doubled: compaction removes them, as the design says.
    """
    archived = doubled = 0
    for part in state.disk.parts:
        for event in part.events:
            bit = 1 << event
            doubled |= archived & bit
            archived |= bit
    if doubled & ~state.excused:
        return Harm.DOUBLED
    redis = state.redis
    if redis.cursor is None or not redis.sure:
        return Harm.NONE
    gone = (model.skipped(redis.cursor) | redis.recent) & ~archived
    if gone and gone & ~_held(state):
        return Harm.LOST
    return Harm.NONE


def breach(state: State, model: Model) -> Harm:
    """Return which invariant of the protocol a state breaks, besides what a user would find."""
    found = harm(state, model)
    if found is not Harm.NONE:
        return found
    durable, visible = _archived(state.disk, durable=True), _archived(state.disk, durable=False)
    cursor = state.redis.cursor
    if cursor is not None and (model.skipped(cursor) | state.redis.recent) & ~(_held(state) | visible):
        return Harm.CURSOR_AHEAD
    for stream, checkpoint in enumerate(state.disk.checkpoints):
        if (
            checkpoint.seen is not None
            and model.skipped(checkpoint.seen) & model.of_stream[stream] & ~durable
        ):
            return Harm.CHECKPOINT_AHEAD
    return Harm.NONE


def at_rest(state: State, model: Model) -> Harm:
    """Judge a state in which nobody has anything to do: the archive must be whole, and Redis empty."""
    if _held(state):
        return Harm.STUCK
    return Harm.NONE if _archived(state.disk, durable=False) == model.every else Harm.LOST


def _held(state: State) -> int:
    """Return the events that Redis or a daemon's hand holds, as a set."""
    held = 0
    for events in state.redis.buffers:
        for event in events:
            held |= 1 << event
    for claims in state.redis.claims:
        for events in claims:
            for event in events:
                held |= 1 << event
    for hand in (state.writer.hand, state.ingester.half):
        if hand is not None:
            for event in hand.events:
                held |= 1 << event
    return held


def _archived(disk: Disk, *, durable: bool) -> int:
    archived = 0
    for part in disk.parts:
        if part.durable or not durable:
            for event in part.events:
                archived |= 1 << event
    return archived
