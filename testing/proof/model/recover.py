"""What the writer does where Redis stands otherwise than it should: starts, epochs, checkpoints set back.

The same decisions as `services.data_writer.recover`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.server import cursor_touched
from testing.proof.model.state import OFF, PLAN, ROUND, START, Checkpoint, Cursor, Disk, Plan, State, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model

    Steps = Iterator[tuple[Label, State]]


def checkpoint_written(disk: Disk, stream: int, cursor: Cursor) -> Disk:
    """Rename a checkpoint into place; it is not durable yet."""
    checkpoints = disk.checkpoints
    written = checkpoints[stream]._replace(seen=cursor)
    return disk._replace(checkpoints=(*checkpoints[:stream], written, *checkpoints[stream + 1 :]))


def checkpoints_synced(disk: Disk) -> Disk:
    """Make every checkpoint durable as it is seen."""
    return disk._replace(checkpoints=tuple(Checkpoint(one.seen, one.seen) for one in disk.checkpoints))


def decide(state: State, model: Model) -> Steps:
    """Yield the first step of a turn that finds Redis in doubt."""
    redis, disk = state.redis, state.disk
    seen = [one.seen for one in disk.checkpoints]
    if redis.cursor is not None and all(one is None for one in seen):
        yield Label(Move.MAKE_SURE), state._replace(redis=redis._replace(sure=True))
        return
    if None in seen and all(one is None or one.epoch == START.epoch for one in seen):
        stream = seen.index(None)
        started = checkpoint_written(disk, stream, START)
        if not model.rules.sync_before_use and seen.count(None) == 1:
            started = checkpoints_synced(started)
        yield Label(Move.START, (stream,)), state._replace(disk=started)
        return
    if model.rules.sync_before_use:
        disk = checkpoints_synced(disk)
    checkpoints = {stream: one for stream, one in enumerate(seen) if one is not None}
    plan = beginning(redis.cursor, checkpoints, disk.used, model)
    if plan is None:
        yield Label(Move.MAKE_SURE), state._replace(redis=redis._replace(sure=True), disk=disk)
        yield from _refused(state._replace(disk=disk), model)
        return
    writer = Writer(PLAN, state.writer.setting, None, (), (), 0, None, plan, connected=True)
    yield Label(Move.PLAN, (plan.cursor.epoch,)), state._replace(disk=disk, writer=writer)


def beginning(stored: Cursor | None, checkpoints: dict[int, Cursor], used: int, model: Model) -> Plan | None:
    """Return the epoch that is to begin, or None when the stored cursor is to be believed."""
    newest = max(checkpoints.values(), key=Cursor.age)
    epoch = max(used, newest.epoch) + 1
    if stored is not None and stored.age() >= newest.age() and stored.epoch >= used:
        return None
    basis = (min if model.rules.checkpoint_per_stream else max)(checkpoints.values(), key=Cursor.age)
    if stored is not None and not model.rules.from_checkpoint:
        basis = stored
    push = max(stored or newest, newest, key=Cursor.age).push
    lowered = tuple(stream for stream, one in checkpoints.items() if one.age() > basis.age())
    cursor = basis._replace(epoch=epoch, push=push)
    return Plan(stored, cursor, lowered if model.rules.lower_checkpoints else (), not model.rules.note_epoch)


def go_on(state: State, model: Model) -> Steps:
    """Yield the next step of beginning an epoch."""
    writer, disk, redis = state.writer, state.disk, state.redis
    plan = writer.plan
    assert plan is not None
    if plan.lowered:
        stream, *rest = plan.lowered
        if disk.checkpoints[stream].seen != plan.cursor:
            written = checkpoint_written(disk, stream, plan.cursor)
            yield Label(Move.LOWER, (stream,)), state._replace(disk=written)
        else:
            left = writer._replace(plan=plan._replace(lowered=tuple(rest)))
            synced = checkpoints_synced(disk)
            yield Label(Move.SYNC_CHECKPOINT, (stream,)), state._replace(disk=synced, writer=left)
    elif not plan.noted:
        noted = disk._replace(used=plan.cursor.epoch)
        left = writer._replace(plan=plan._replace(noted=True))
        yield Label(Move.NOTE, (plan.cursor.epoch,)), state._replace(disk=noted, writer=left)
    else:
        left = Writer(OFF, writer.setting, None, (), (), 0, None, None, connected=False)
        if not writer.connected or redis.cursor != plan.before:
            yield Label(Move.VOID), state._replace(writer=left)
            return
        begun = redis._replace(cursor=plan.cursor, epoch=plan.cursor.epoch, sure=True)
        done = cursor_touched(state._replace(redis=begun, writer=left), model)
        yield Label(Move.BEGIN, (plan.cursor.epoch,)), done
        yield from _refused(state, model)


def _refused(state: State, model: Model) -> Steps:
    """Let a full Redis refuse what is SET: then the writer claims all the same, for that makes room."""
    before = state.redis.cursor
    if state.faults and before is not None:
        for due in model.rounds:
            writer = Writer(ROUND, state.writer.setting, before, due, due, 0, None, None, connected=True)
            yield Label(Fault.REDIS_FULL), state._replace(writer=writer, faults=state.faults - 1)
