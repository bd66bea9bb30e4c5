"""What the writer does: claim, commit, ack, stream by stream, and then move the checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model import recover
from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.server import claim_touched, taken, trimmed
from testing.proof.model.state import MARK, OFF, PLAN, ROUND, Disk, Events, Hand, Late, Part, State, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model

    Steps = Iterator[tuple[Label, State]]


def steps(state: State, model: Model) -> Steps:
    """Yield what the writer may do next, and what may befall its commands."""
    writer = state.writer
    if writer.mode == OFF:
        yield from _turn(state, model)
    elif writer.mode == PLAN:
        yield from recover.go_on(state, model)
    elif writer.mode == MARK:
        yield from _mark(state)
    elif writer.hand is None:
        yield from _claim(state, model)
    else:
        yield from _work(state, model, writer.hand)


def down(writer: Writer) -> Writer:
    """Return a writer that knows nothing: killed, or after any doubt."""
    return Writer(OFF, writer.setting, None, (), (), 0, None, None, connected=False)


def disconnected(writer: Writer, model: Model) -> Writer:
    """Return what a writer goes on with that has lost its connection: it notices at the next command."""
    if writer.mode == ROUND and writer.hand is None:
        return _broken(writer, model)
    if writer.mode == OFF:
        return writer
    hand = None if writer.hand is None else writer.hand._replace(watched=False)
    return writer._replace(hand=hand, connected=False)


def _broken(writer: Writer, model: Model) -> Writer:
    """Return what an error leaves of a round."""
    if model.rules.void_round:
        return down(writer)
    return writer._replace(hand=None, taken=0, connected=True)


def _turn(state: State, model: Model) -> Steps:
    """Open, fence, and either recover or begin a round."""
    redis, writer = state.redis, state.writer
    if model.rules.fence and state.late:
        state = state._replace(late=tuple(one for one in state.late if one.push is not None))
    if redis.cursor is None or not redis.sure:
        yield from recover.decide(state, model)
        return
    checkpoints = state.disk.checkpoints
    waiting = {
        stream
        for stream, claims in enumerate(redis.claims)
        if redis.buffers[stream] or any(claims) or checkpoints[stream].seen != redis.cursor
    }
    for due in model.rounds:
        if waiting.issuperset(due):
            begun = Writer(ROUND, writer.setting, redis.cursor, due, due, 0, None, None, connected=True)
            yield Label(Move.ROUND, due), state._replace(writer=begun)


def _claim(state: State, model: Model) -> Steps:
    """Finish claims that exist, take the buffer once, or go on to the next stream."""
    rules, writer, redis = model.rules, state.writer, state.redis
    if not writer.due:
        yield from _close(state, model)
        return
    stream = writer.due[0]
    if not rules.whole_round and writer.due != writer.marks:
        yield Label(Move.EARLY), state._replace(writer=writer._replace(due=()))
    found = next((index for index, events in enumerate(redis.claims[stream]) if events), None)
    if found is not None and writer.taken != 2:
        yield Label(Move.CLAIM, redis.claims[stream][found]), _read(state, model, found)
    elif not rules.scan_again and not writer.taken:
        yield Label(Move.SCAN, (stream,)), state._replace(writer=writer._replace(taken=2))
    elif writer.taken == 1 or not redis.buffers[stream]:
        left = writer._replace(due=writer.due[1:], taken=0)
        yield Label(Move.EMPTY, (stream,)), state._replace(writer=left)
    else:
        done = taken(redis, stream, writer.setting)
        if done is None:
            yield Label(Move.VOID), state._replace(writer=_broken(writer, model))
            return
        label = done.claims[stream][writer.setting]
        claimed = state._replace(redis=done, writer=writer._replace(taken=1))
        claimed = claim_touched(claimed, model, stream, writer.setting)
        yield Label(Move.CLAIM, label), _read(claimed, model, writer.setting)
        if state.faults:
            late = (*state.late, Late(stream, writer.setting, 0, None))
            left = _broken(writer, model)
            yield (
                Label(Fault.CLAIM_LATE, (stream,)),
                state._replace(late=late, writer=left, faults=state.faults - 1),
            )


def _read(state: State, model: Model, setting: int) -> State:
    """WATCH a claim and take its first chunk in hand."""
    writer = state.writer
    stream = writer.due[0]
    size = model.bounds.chunks[setting if model.rules.chunk_in_key else writer.setting]
    events = state.redis.claims[stream][setting][:size]
    return state._replace(writer=writer._replace(hand=Hand(stream, setting, events, True, 0, False)))


def _work(state: State, model: Model, hand: Hand) -> Steps:
    """Commit the chunk in hand, then ack it."""
    writer = state.writer
    if not hand.acked and (hand.committed == 2 or not model.rules.ack_last):
        yield from _ack(state, model, hand)
    elif hand.committed == 0:
        left = writer._replace(hand=hand._replace(committed=1))
        disk = _renamed(state.disk, hand.events, model)
        yield Label(Move.COMMIT, hand.events), state._replace(disk=disk, writer=left)
    elif hand.committed == 1:
        done = hand._replace(committed=2)
        left = writer._replace(hand=None if hand.acked else done)
        disk = _synced(state.disk) if model.rules.parent_sync else state.disk
        yield Label(Move.SYNC), state._replace(disk=disk, writer=left)


def _ack(state: State, model: Model, hand: Hand) -> Steps:
    writer, rules = state.writer, model.rules
    if not writer.connected or (rules.ack_watch and not hand.watched):
        yield Label(Move.ACK_REFUSED, hand.events), state._replace(writer=_broken(writer, model))
        return
    count = len(hand.events)
    redis = trimmed(state.redis, hand.stream, hand.setting, count)
    left = writer._replace(hand=None if rules.ack_last else hand._replace(acked=True))
    done = state._replace(redis=redis, writer=left._replace(hand=None))
    done = claim_touched(done, model, hand.stream, hand.setting)
    yield Label(Move.ACK, hand.events), done._replace(writer=left)
    if not state.faults:
        return
    fewer, broken = state.faults - 1, _broken(writer, model)
    if not rules.ack_once:
        done = done._replace(redis=trimmed(redis, hand.stream, hand.setting, count))
    yield Label(Fault.ACK_REPLY_LOST, hand.events), done._replace(writer=broken, faults=fewer)
    late = (*state.late, Late(hand.stream, hand.setting, count, None))
    yield Label(Fault.ACK_LATE, hand.events), state._replace(writer=broken, late=late, faults=fewer)


def _close(state: State, model: Model) -> Steps:
    """Read cursor and epoch again: only then the round counts."""
    writer, redis = state.writer, state.redis
    assert writer.before is not None
    if model.rules.read_again and (redis.cursor is None or redis.epoch != writer.before.epoch):
        yield Label(Move.VOID), state._replace(writer=down(writer))
        return
    mark = redis.cursor
    if model.rules.checkpoint_before_claim or mark is None:
        mark = writer.before
    yield from _mark(state._replace(writer=writer._replace(mode=MARK, before=mark)))


def _mark(state: State) -> Steps:
    """Move one checkpoint after the other, each by a rename and a sync."""
    writer, disk = state.writer, state.disk
    assert writer.before is not None
    stream, *rest = writer.marks
    if disk.checkpoints[stream].seen != writer.before:
        written = recover.checkpoint_written(disk, stream, writer.before)
        yield Label(Move.MARK, (stream,)), state._replace(disk=written)
    else:
        synced = recover.checkpoints_synced(disk)
        left = writer._replace(marks=tuple(rest)) if rest else down(writer)
        yield Label(Move.SYNC_CHECKPOINT, (stream,)), state._replace(disk=synced, writer=left)


def _renamed(disk: Disk, events: Events, model: Model) -> Disk:
    """Put a chunk's part in place; the same name takes the place of the one before."""
    label = 0
    if not model.rules.name_from_input:
        label = 1 + max((part.label for part in disk.parts), default=0)
    if any(part.events == events and part.label == label for part in disk.parts):
        # What was synced under this name is as good: one of the two is there after a power cut.
        return disk
    return disk._replace(parts=tuple(sorted([*disk.parts, Part(events, label, durable=False)])))


def _synced(disk: Disk) -> Disk:
    return disk._replace(parts=tuple(Part(part.events, part.label, durable=True) for part in disk.parts))
