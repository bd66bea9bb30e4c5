"""Every step from a state: of both daemons, of delayed commands, of Redis' disk, and every fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model import ingester, writer
from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.state import (
    OFF,
    ON,
    Checkpoint,
    Disk,
    Ingester,
    Part,
    Redis,
    State,
    cursor_touched,
    delayed_runs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.rules import Model
    from testing.proof.model.state import State

    Steps = Iterator[tuple[Label, State]]


def steps(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    """Yield each step and the state after it, always in the same order."""
    excluded = model.excluded
    for label, after in _moves(state, model):
        if label.what not in excluded:
            # With appendfsync always, Redis syncs before it replies.
            yield label, after._replace(synced=after.redis) if model.rules.appendfsync_always else after
    if state.faults:
        for step in _faults(state, model):
            if step[0].what not in excluded:
                yield step


def _moves(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    yield from ingester.steps(state, model)
    yield from writer.steps(state, model)
    if state.delayed:
        yield from delayed_runs(state, model)
    if state.synced is not state.redis and state.synced != state.redis:
        yield Label(Move.REDIS_SYNCS), state._replace(synced=state.redis)


MERGED = -1
"""The label of a part that compaction wrote."""


def _faults(state: State, model: Model) -> Steps:
    """Yield every fault that changes the state, except those of single commands."""
    after = state._replace(faults=state.faults - 1)
    reader, owner, redis = state.ingester, state.writer, state.redis
    if reader.mode != OFF:
        killed = Ingester(OFF, None, 0, 0, 0, None)
        yield Label(Fault.INGESTER_KILLED), after._replace(ingester=killed)
    if reader.mode == ON:
        assert reader.cursor is not None
        yield Label(Fault.CURSOR_TOUCHED), cursor_touched(after, model)
        other = ingester.moved(reader, model, 1 - reader.host)
        yield Label(Fault.HOST_CHANGED), after._replace(ingester=other)
    if owner.mode != OFF:
        yield Label(Fault.WRITER_KILLED), after._replace(writer=writer.down(owner))
    if owner.setting + 1 < len(model.bounds.chunks):
        changed = writer.down(owner)._replace(setting=owner.setting + 1)
        yield Label(Fault.CHUNK_CHANGED), after._replace(writer=changed)
    yield from _of_redis(after, model)
    yield from _power_cut(after, model)
    if owner.mode == OFF and redis.cursor is not None:
        yield from _compactions(after, model)


def _of_redis(after: State, model: Model) -> Steps:
    redis = after.redis
    if redis.cursor is None:
        return
    if redis.confirmed:
        yield Label(Fault.REDIS_KILLED), _restarted(after, model, redis)
    yield Label(Fault.VOLUME_LOST), _restarted(_allow_doubled(after), model, model.start.redis)
    if after.backup is None:
        yield Label(Fault.BACKUP_MADE), after._replace(backup=redis)
    elif after.backup != redis:
        yield Label(Fault.BACKUP_RESTORED), _restarted(_allow_doubled(after), model, after.backup)


def _restarted(state: State, model: Model, redis: Redis) -> State:
    """Return the state after a restart of Redis with these data: connections and delayed commands go."""
    redis = redis._replace(confirmed=False)
    left = state.ingester
    return state._replace(
        redis=redis,
        synced=redis,
        ingester=left if left.mode == OFF else ingester.reset(left, model),
        writer=writer.disconnected(state.writer, model),
        delayed=(),
    )


def _allow_doubled(state: State) -> State:
    """Allow committed events and the current chunk to be doubled: Redis may have lost their identities."""
    may_double = state.may_double
    current = state.writer.current
    for events in (*(part.events for part in state.disk.parts), () if current is None else current.events):
        for event in events:
            may_double |= 1 << event
    return state._replace(may_double=may_double)


def _power_cut(after: State, model: Model) -> Steps:
    """Stop everything; unsynced files are lost or kept."""
    redis = (after.redis if model.rules.appendfsync_always else after.synced)._replace(confirmed=False)
    dark = after._replace(
        ingester=Ingester(OFF, None, 0, 0, 0, None),
        writer=writer.down(after.writer),
        redis=redis,
        synced=redis,
        delayed=(),
    )
    disk = after.disk
    kept = Disk(
        tuple(part for part in disk.parts if part.durable),
        tuple(Checkpoint(one.durable, one.durable) for one in disk.checkpoints),
        disk.noted_epoch,
    )
    yield Label(Fault.POWER_CUT), dark._replace(disk=kept)
    if kept != disk:
        yield Label(Fault.POWER_CUT), dark


def _compactions(after: State, model: Model) -> Steps:
    """Merge all parts of a stream that has no claim, while no writer runs."""
    for stream, claims in enumerate(after.redis.claims):
        if any(claims) and model.rules.no_compaction_while_claimed:
            continue
        mine = [part for part in after.disk.parts if model.of_stream[stream] >> part.events[0] & 1]
        if len(mine) > 1:
            events = tuple(sorted({event for part in mine for event in part.events}))
            others = [part for part in after.disk.parts if part not in mine]
            merged = tuple(sorted([*others, Part(events, MERGED, durable=True)]))
            yield Label(Fault.COMPACTED, (stream,)), after._replace(disk=after.disk._replace(parts=merged))
