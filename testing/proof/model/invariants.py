"""Invariants: events that are lost or archived twice, and positions ahead of the data."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testing.proof.model.rules import Model
    from testing.proof.model.state import Disk, State


class Violation(StrEnum):
    """The way in which a state violates an invariant."""

    NONE = "none"
    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    """No step is possible, and Redis still holds events."""
    CURSOR_AHEAD = "cursor ahead of what is buffered"
    CHECKPOINT_AHEAD = "checkpoint ahead of what is committed"


def user_visible(state: State, model: Model) -> Violation:
    """Return a violation that a user would see: an event that is archived twice or will never be archived.

    An event is lost when the cursor is past it, or its identity is stored, and neither the archive nor Redis
    nor a daemon holds it; before the cursor is confirmed nothing is lost yet. Events whose identities Redis
    lost with its volume or by a restored backup may be doubled: compaction removes them.
    """
    archived = doubled = 0
    for part in state.disk.parts:
        for event in part.events:
            bit = 1 << event
            doubled |= archived & bit
            archived |= bit
    if doubled & ~state.may_double:
        return Violation.DOUBLED
    redis = state.redis
    if redis.cursor is None or not redis.confirmed:
        return Violation.NONE
    missing = (model.skipped(redis.cursor) | redis.recent) & ~archived
    if missing & ~_held(state):
        return Violation.LOST
    return Violation.NONE


def violation(state: State, model: Model) -> Violation:
    """Return the first violated invariant, of the protocol or visible to a user."""
    found = user_visible(state, model)
    if found is not Violation.NONE:
        return found
    durable, visible = _archived(state.disk, durable=True), _archived(state.disk, durable=False)
    cursor = state.redis.cursor
    if cursor is not None and (model.skipped(cursor) | state.redis.recent) & ~(_held(state) | visible):
        return Violation.CURSOR_AHEAD
    for stream, checkpoint in enumerate(state.disk.checkpoints):
        if (
            checkpoint.visible is not None
            and model.skipped(checkpoint.visible) & model.of_stream[stream] & ~durable
        ):
            return Violation.CHECKPOINT_AHEAD
    return Violation.NONE


def violation_at_end(state: State, model: Model) -> Violation:
    """Return the violation of a state without further steps: the archive must be complete and Redis empty."""
    if _held(state):
        return Violation.STUCK
    return Violation.NONE if _archived(state.disk, durable=False) == model.every else Violation.LOST


def _held(state: State) -> int:
    """Return the events that Redis or a daemon holds, as a set."""
    held = 0
    for events in state.redis.buffers:
        for event in events:
            held |= 1 << event
    for claims in state.redis.claims:
        for events in claims:
            for event in events:
                held |= 1 << event
    for current in (state.writer.current, state.ingester.half):
        if current is not None:
            for event in current.events:
                held |= 1 << event
    return held


def _archived(disk: Disk, *, durable: bool) -> int:
    archived = 0
    for part in disk.parts:
        if part.durable or not durable:
            for event in part.events:
                archived |= 1 << event
    return archived
