"""The steps of the writer: claim, commit, ack, write checkpoints; at a start or in doubt, begin an epoch.

The decisions of an epoch are those of `services.data_writer.recover`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.state import (
    CHECKPOINT,
    OFF,
    PLAN,
    ROUND,
    START,
    Checkpoint,
    CurrentChunk,
    Cursor,
    DelayedCommand,
    Disk,
    Events,
    Part,
    Plan,
    State,
    Writer,
    apply_rename,
    apply_trim,
    claim_touched,
    cursor_touched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.rules import Model

    Steps = Iterator[tuple[Label, State]]


def steps(state: State, model: Model) -> Steps:
    """Yield the next steps of the writer, and the faults of its commands."""
    writer = state.writer
    if writer.mode == OFF:
        yield from _begin_turn(state, model)
    elif writer.mode == PLAN:
        yield from _continue_epoch(state, model)
    elif writer.mode == CHECKPOINT:
        yield from _write_checkpoints(state)
    elif writer.current is None:
        yield from _claim(state, model)
    else:
        yield from _work(state, model, writer.current)


def down(writer: Writer) -> Writer:
    """Return a writer without state: after a kill or any error."""
    return Writer(OFF, writer.setting, None, (), (), 0, None, None, connected=False)


def disconnected(writer: Writer, model: Model) -> Writer:
    """Return the writer after its connection is lost, which it notices at the next command."""
    if writer.mode == ROUND and writer.current is None:
        return _broken(writer, model)
    if writer.mode == OFF:
        return writer
    current = None if writer.current is None else writer.current._replace(watched=False)
    return writer._replace(current=current, connected=False)


def _broken(writer: Writer, model: Model) -> Writer:
    """Return the writer after an error in a round."""
    if model.rules.error_voids_round:
        return down(writer)
    return writer._replace(current=None, taken=0, connected=True)


def _begin_turn(state: State, model: Model) -> Steps:
    """Connect and fence, then recover or begin a round."""
    redis, writer = state.redis, state.writer
    if model.rules.fence and state.delayed:
        state = state._replace(delayed=tuple(one for one in state.delayed if one.push is not None))
    if redis.cursor is None or not redis.confirmed:
        yield from _recover(state, model)
        return
    checkpoints = state.disk.checkpoints
    waiting = {
        stream
        for stream, claims in enumerate(redis.claims)
        if redis.buffers[stream] or any(claims) or checkpoints[stream].visible != redis.cursor
    }
    for due in model.rounds:
        if waiting.issuperset(due):
            begun = Writer(ROUND, writer.setting, redis.cursor, due, due, 0, None, None, connected=True)
            yield Label(Move.ROUND, due), state._replace(writer=begun)


def _claim(state: State, model: Model) -> Steps:
    """Finish existing claims, claim the buffer once, or continue with the next stream."""
    rules, writer, redis = model.rules, state.writer, state.redis
    if not writer.due:
        yield from _end_round(state, model)
        return
    stream = writer.due[0]
    if not rules.checkpoint_only_if_acked and writer.due != writer.to_checkpoint:
        yield Label(Move.EARLY), state._replace(writer=writer._replace(due=()))
    found = next((index for index, events in enumerate(redis.claims[stream]) if events), None)
    if found is not None and writer.taken != 2:
        yield Label(Move.CLAIM, redis.claims[stream][found]), _read(state, model, found)
    elif not rules.rescan_after_rename and not writer.taken:
        yield Label(Move.SCAN, (stream,)), state._replace(writer=writer._replace(taken=2))
    elif writer.taken == 1 or not redis.buffers[stream]:
        left = writer._replace(due=writer.due[1:], taken=0)
        yield Label(Move.EMPTY, (stream,)), state._replace(writer=left)
    else:
        done = apply_rename(redis, stream, writer.setting)
        if done is None:
            yield Label(Move.VOID), state._replace(writer=_broken(writer, model))
            return
        label = done.claims[stream][writer.setting]
        claimed = state._replace(redis=done, writer=writer._replace(taken=1))
        claimed = claim_touched(claimed, model, stream, writer.setting)
        yield Label(Move.CLAIM, label), _read(claimed, model, writer.setting)
        if state.faults:
            delayed = (*state.delayed, DelayedCommand(stream, writer.setting, 0, None))
            left = _broken(writer, model)
            yield (
                Label(Fault.CLAIM_DELAYED, (stream,)),
                state._replace(delayed=delayed, writer=left, faults=state.faults - 1),
            )


def _read(state: State, model: Model, setting: int) -> State:
    """WATCH a claim and read its first chunk."""
    writer = state.writer
    stream = writer.due[0]
    size = model.bounds.chunks[setting if model.rules.chunk_size_in_key else writer.setting]
    events = state.redis.claims[stream][setting][:size]
    return state._replace(
        writer=writer._replace(current=CurrentChunk(stream, setting, events, True, 0, False))
    )


def _work(state: State, model: Model, current: CurrentChunk) -> Steps:
    """Commit the current chunk, then ack it."""
    writer = state.writer
    if not current.acked and (current.committed == 2 or not model.rules.ack_last):
        yield from _ack(state, model, current)
    elif current.committed == 0:
        left = writer._replace(current=current._replace(committed=1))
        disk = _renamed(state.disk, current.events, model)
        yield Label(Move.COMMIT, current.events), state._replace(disk=disk, writer=left)
    elif current.committed == 1:
        done = current._replace(committed=2)
        left = writer._replace(current=None if current.acked else done)
        disk = _synced(state.disk) if model.rules.fsync_parents else state.disk
        yield Label(Move.SYNC), state._replace(disk=disk, writer=left)


def _ack(state: State, model: Model, current: CurrentChunk) -> Steps:
    writer, rules = state.writer, model.rules
    if not writer.connected or (rules.watch_on_ack and not current.watched):
        yield Label(Move.ACK_REFUSED, current.events), state._replace(writer=_broken(writer, model))
        return
    count = len(current.events)
    redis = apply_trim(state.redis, current.stream, current.setting, count)
    left = writer._replace(current=None if rules.ack_last else current._replace(acked=True))
    done = state._replace(redis=redis, writer=left._replace(current=None))
    done = claim_touched(done, model, current.stream, current.setting)
    yield Label(Move.ACK, current.events), done._replace(writer=left)
    if not state.faults:
        return
    fewer, broken = state.faults - 1, _broken(writer, model)
    if not rules.no_ack_retry:
        done = done._replace(redis=apply_trim(redis, current.stream, current.setting, count))
    yield Label(Fault.ACK_REPLY_LOST, current.events), done._replace(writer=broken, faults=fewer)
    delayed = (*state.delayed, DelayedCommand(current.stream, current.setting, count, None))
    yield (
        Label(Fault.ACK_DELAYED, current.events),
        state._replace(writer=broken, delayed=delayed, faults=fewer),
    )


def _end_round(state: State, model: Model) -> Steps:
    """Read cursor and epoch again; the round is void if the epoch has changed."""
    writer, redis = state.writer, state.redis
    assert writer.before is not None
    if model.rules.reread_cursor and (redis.cursor is None or redis.epoch != writer.before.epoch):
        yield Label(Move.VOID), state._replace(writer=down(writer))
        return
    position = redis.cursor
    if model.rules.checkpoint_before_claim or position is None:
        position = writer.before
    yield from _write_checkpoints(state._replace(writer=writer._replace(mode=CHECKPOINT, before=position)))


def _write_checkpoints(state: State) -> Steps:
    """Write the checkpoints one by one, each by a rename and a sync."""
    writer, disk = state.writer, state.disk
    assert writer.before is not None
    stream, *rest = writer.to_checkpoint
    if disk.checkpoints[stream].visible != writer.before:
        written = _write_checkpoint(disk, stream, writer.before)
        yield Label(Move.CHECKPOINT, (stream,)), state._replace(disk=written)
    else:
        synced = _sync_checkpoints(disk)
        left = writer._replace(to_checkpoint=tuple(rest)) if rest else down(writer)
        yield Label(Move.SYNC_CHECKPOINT, (stream,)), state._replace(disk=synced, writer=left)


def _renamed(disk: Disk, events: Events, model: Model) -> Disk:
    """Rename a chunk's part into place; it replaces a part of the same name."""
    label = 0
    if not model.rules.deterministic_names:
        label = 1 + max((part.label for part in disk.parts), default=0)
    if any(part.events == events and part.label == label for part in disk.parts):
        # The one that was synced under this name has the same events: either is there after a power cut.
        return disk
    return disk._replace(parts=tuple(sorted([*disk.parts, Part(events, label, durable=False)])))


def _synced(disk: Disk) -> Disk:
    return disk._replace(parts=tuple(Part(part.events, part.label, durable=True) for part in disk.parts))


def _write_checkpoint(disk: Disk, stream: int, cursor: Cursor) -> Disk:
    """Rename a checkpoint into place; it is not durable yet."""
    checkpoints = disk.checkpoints
    written = checkpoints[stream]._replace(visible=cursor)
    return disk._replace(checkpoints=(*checkpoints[:stream], written, *checkpoints[stream + 1 :]))


def _sync_checkpoints(disk: Disk) -> Disk:
    """Make every visible checkpoint durable."""
    return disk._replace(checkpoints=tuple(Checkpoint(one.visible, one.visible) for one in disk.checkpoints))


def _recover(state: State, model: Model) -> Steps:
    """Yield the first step of a turn in which the cursor is missing or not confirmed."""
    redis, disk = state.redis, state.disk
    visible = [one.visible for one in disk.checkpoints]
    if redis.cursor is not None and all(one is None for one in visible):
        yield Label(Move.CONFIRM), state._replace(redis=redis._replace(confirmed=True))
        return
    if None in visible and all(one is None or one.epoch == START.epoch for one in visible):
        stream = visible.index(None)
        started = _write_checkpoint(disk, stream, START)
        if not model.rules.sync_before_read and visible.count(None) == 1:
            started = _sync_checkpoints(started)
        yield Label(Move.START, (stream,)), state._replace(disk=started)
        return
    if model.rules.sync_before_read:
        disk = _sync_checkpoints(disk)
    checkpoints = {stream: one for stream, one in enumerate(visible) if one is not None}
    plan = _plan_epoch(redis.cursor, checkpoints, disk.noted_epoch, model)
    if plan is None:
        yield Label(Move.CONFIRM), state._replace(redis=redis._replace(confirmed=True), disk=disk)
        yield from _sets_refused(state._replace(disk=disk), model)
        return
    writer = Writer(PLAN, state.writer.setting, None, (), (), 0, None, plan, connected=True)
    yield Label(Move.PLAN, (plan.cursor.epoch,)), state._replace(disk=disk, writer=writer)


def _plan_epoch(
    stored: Cursor | None, checkpoints: dict[int, Cursor], noted_epoch: int, model: Model
) -> Plan | None:
    """Return the epoch to begin, or None when the stored cursor is valid."""
    newest = max(checkpoints.values(), key=Cursor.age)
    epoch = max(noted_epoch, newest.epoch) + 1
    if stored is not None and stored.age() >= newest.age() and stored.epoch >= noted_epoch:
        return None
    basis = (min if model.rules.checkpoint_per_stream else max)(checkpoints.values(), key=Cursor.age)
    if stored is not None and not model.rules.epoch_from_checkpoint:
        basis = stored
    push = max(stored or newest, newest, key=Cursor.age).push
    lowered = tuple(stream for stream, one in checkpoints.items() if one.age() > basis.age())
    cursor = basis._replace(epoch=epoch, push=push)
    return Plan(stored, cursor, lowered if model.rules.lower_checkpoints else (), not model.rules.note_epoch)


def _continue_epoch(state: State, model: Model) -> Steps:
    """Yield the next step of the beginning of an epoch."""
    writer, disk, redis = state.writer, state.disk, state.redis
    plan = writer.plan
    assert plan is not None
    if plan.lowered:
        stream, *rest = plan.lowered
        if disk.checkpoints[stream].visible != plan.cursor:
            written = _write_checkpoint(disk, stream, plan.cursor)
            yield Label(Move.LOWER, (stream,)), state._replace(disk=written)
        else:
            left = writer._replace(plan=plan._replace(lowered=tuple(rest)))
            synced = _sync_checkpoints(disk)
            yield Label(Move.SYNC_CHECKPOINT, (stream,)), state._replace(disk=synced, writer=left)
    elif not plan.noted:
        noted = disk._replace(noted_epoch=plan.cursor.epoch)
        left = writer._replace(plan=plan._replace(noted=True))
        yield Label(Move.NOTE, (plan.cursor.epoch,)), state._replace(disk=noted, writer=left)
    else:
        left = Writer(OFF, writer.setting, None, (), (), 0, None, None, connected=False)
        if not writer.connected or redis.cursor != plan.before:
            yield Label(Move.VOID), state._replace(writer=left)
            return
        begun = redis._replace(cursor=plan.cursor, epoch=plan.cursor.epoch, confirmed=True)
        done = cursor_touched(state._replace(redis=begun, writer=left), model)
        yield Label(Move.BEGIN, (plan.cursor.epoch,)), done
        yield from _sets_refused(state, model)


def _sets_refused(state: State, model: Model) -> Steps:
    """Let a full Redis refuse SET: the writer claims nevertheless, which frees memory."""
    before = state.redis.cursor
    if state.faults and before is not None:
        for due in model.rounds:
            writer = Writer(ROUND, state.writer.setting, before, due, due, 0, None, None, connected=True)
            yield Label(Fault.REDIS_FULL), state._replace(writer=writer, faults=state.faults - 1)
