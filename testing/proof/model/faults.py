"""What befalls the daemons, Redis and the machine: each costs one of the faults that the bounds allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model import ingester, writer
from testing.proof.model.labels import Fault, Label
from testing.proof.model.server import cursor_touched
from testing.proof.model.state import OFF, ON, Checkpoint, Disk, Ingester, Part, Redis, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model

    Steps = Iterator[tuple[Label, State]]

MERGED = -1
"""Label of a part that compaction wrote."""


def steps(state: State, model: Model) -> Steps:
    """Yield every fault that makes a difference now, but for those of single commands."""
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
    if redis.sure:
        yield Label(Fault.REDIS_KILLED), _restarted(after, model, redis)
    yield Label(Fault.VOLUME_LOST), _restarted(_forgetting(after), model, model.start.redis)
    if after.copy is None:
        yield Label(Fault.COPY_MADE), after._replace(copy=redis)
    elif after.copy != redis:
        yield Label(Fault.COPY_RESTORED), _restarted(_forgetting(after), model, after.copy)


def _restarted(state: State, model: Model, redis: Redis) -> State:
    """Start a server with these data: all connections are gone, and what was under way on them."""
    redis = redis._replace(sure=False)
    left = state.ingester
    return state._replace(
        redis=redis,
        synced=redis,
        ingester=left if left.mode == OFF else ingester.reset(left, model),
        writer=writer.disconnected(state.writer, model),
        late=(),
    )


def _forgetting(state: State) -> State:
    """Excuse what is committed or about to be: Redis may know nothing of it any more."""
    excused = state.excused
    hand = state.writer.hand
    for events in (*(part.events for part in state.disk.parts), () if hand is None else hand.events):
        for event in events:
            excused |= 1 << event
    return state._replace(excused=excused)


def _power_cut(after: State, model: Model) -> Steps:
    """Everything stops; what was not synced on disk may or may not be there."""
    redis = (after.redis if model.rules.always else after.synced)._replace(sure=False)
    dark = after._replace(
        ingester=Ingester(OFF, None, 0, 0, 0, None),
        writer=writer.down(after.writer),
        redis=redis,
        synced=redis,
        late=(),
    )
    disk = after.disk
    kept = Disk(
        tuple(part for part in disk.parts if part.durable),
        tuple(Checkpoint(one.durable, one.durable) for one in disk.checkpoints),
        disk.used,
    )
    yield Label(Fault.POWER_CUT), dark._replace(disk=kept)
    if kept != disk:
        yield Label(Fault.POWER_CUT), dark


def _compactions(after: State, model: Model) -> Steps:
    """Merge all parts of a stream, if nobody owns it and no claim of it exists."""
    for stream, claims in enumerate(after.redis.claims):
        if any(claims) and model.rules.compaction_waits:
            continue
        mine = [part for part in after.disk.parts if model.of_stream[stream] >> part.events[0] & 1]
        if len(mine) > 1:
            events = tuple(sorted({event for part in mine for event in part.events}))
            others = [part for part in after.disk.parts if part not in mine]
            merged = tuple(sorted([*others, Part(events, MERGED, durable=True)]))
            yield Label(Fault.COMPACTED, (stream,)), after._replace(disk=after.disk._replace(parts=merged))
