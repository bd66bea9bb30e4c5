"""What the ingester does: resume from the stored cursor, and push what arrives with the cursor behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.server import cursor_touched, pushed
from testing.proof.model.state import HALF, OFF, ON, TOUCHED, Cursor, Events, Ingester, Late, Push, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model

    Steps = Iterator[tuple[Label, State]]


def steps(state: State, model: Model) -> Steps:
    """Yield what the ingester may do next, and what may befall its commands."""
    mode = state.ingester.mode
    if mode == OFF:
        yield from _resume(state, model)
    elif mode == HALF:
        yield from _rest(state, model)
    else:
        yield from _push(state, model)


def reset(ingester: Ingester, model: Model) -> Ingester:
    """Return what a living ingester still knows after any doubt."""
    return Ingester(OFF, None, 0 if model.rules.forget else ingester.memory, 0, 0, None)


def moved(ingester: Ingester, model: Model, host: int) -> Ingester:
    """Let it read another host from its cursor."""
    assert ingester.cursor is not None
    return _past_known(ingester._replace(host=host, at=model.resume(ingester.cursor, host)), model)


def _resume(state: State, model: Model) -> Steps:
    rules, redis = model.rules, state.redis
    cursor = redis.cursor
    if cursor is None:
        if rules.start_by_writer:
            return
        # It starts live: where the host is now, whatever was before.
        cursor = Cursor(redis.epoch + 1, 0, 0, state.tip)
        redis = redis._replace(cursor=cursor, epoch=cursor.epoch, sure=True)
        at = state.tip
    elif redis.sure or not rules.made_sure:
        at = model.resume(cursor, cursor.host)
    else:
        return
    late = tuple(one for one in state.late if one.push is None) if rules.fence else state.late
    memory = redis.recent if rules.forget else state.ingester.memory or redis.recent
    if not rules.identity:
        time = model.time(cursor.at)
        order = model.orders[cursor.host]
        memory |= sum(1 << order[i] for i in model.events if model.time(i + 1) <= time)
    ingester = _past_known(Ingester(ON, cursor, memory, cursor.host, at, None), model)
    yield Label(Move.RESUME), state._replace(ingester=ingester, redis=redis, late=late)


def _push(state: State, model: Model) -> Steps:
    rules, ingester = model.rules, state.ingester
    order, at, cursor = model.orders[ingester.host], ingester.at, ingester.cursor
    assert cursor is not None
    for size in range(1, model.bounds.batch + 1):
        if at + size > len(order):
            return
        fresh = tuple(event for event in order[at : at + size] if not ingester.memory >> event & 1)
        mine = Cursor(cursor.epoch, cursor.push + 1, ingester.host, at + size)
        push = Push(fresh, _set(fresh), mine)
        memory = ingester.memory | push.recent
        after = _past_known(Ingester(ON, mine, memory, ingester.host, at + size, None), model)
        seen = state
        if not rules.start_by_writer:
            seen = state._replace(tip=max(state.tip, at + size))
        if ingester.mode == TOUCHED and rules.push_watch:
            # Whoever does not wait for the reply goes on with what comes next.
            left = reset(ingester, model) if rules.one_push else after
            yield Label(Move.REFUSED, fresh), seen._replace(ingester=left)
        elif not rules.cursor_with_events:
            yield from _half(seen, model, push, after)
        else:
            done = cursor_touched(seen._replace(redis=pushed(state.redis, push, model)), model)
            yield Label(Move.BUFFER, fresh), done._replace(ingester=after)
            if state.faults:
                yield from _push_in_doubt(seen, done, model, push)


def _push_in_doubt(before: State, done: State, model: Model, push: Push) -> Steps:
    """Yield what a push may come to whose reply is not heard."""
    rules = model.rules
    left = reset(before.ingester, model)
    faults = before.faults - 1
    if not rules.push_once:
        done = done._replace(redis=pushed(done.redis, push, model))
    yield Label(Fault.PUSH_REPLY_LOST, push.events), done._replace(ingester=left, faults=faults)
    late = (*before.late, Late(0, 0, 0, push))
    yield Label(Fault.PUSH_LATE, push.events), before._replace(ingester=left, late=late, faults=faults)


def _half(state: State, model: Model, push: Push, after: Ingester) -> Steps:
    halves = (Push(push.events, 0, None), push._replace(events=()))
    first, rest = halves if model.rules.data_first else halves[::-1]
    waiting = after._replace(mode=HALF, half=rest)
    done = cursor_touched(state._replace(redis=pushed(state.redis, first, model)), model)
    label = Label(Move.BUFFER, first.events) if first.events else Label(Move.CURSOR)
    yield label, done._replace(ingester=waiting)


def _rest(state: State, model: Model) -> Steps:
    rest = state.ingester.half
    assert rest is not None
    done = cursor_touched(state._replace(redis=pushed(state.redis, rest, model)), model)
    ingester = state.ingester._replace(mode=ON, half=None)
    yield Label(Move.BUFFER_REST, rest.events), done._replace(ingester=ingester)


def _past_known(ingester: Ingester, model: Model) -> Ingester:
    """Step over repeats at once: alone they make no push."""
    order, at = model.orders[ingester.host], ingester.at
    while at < len(order) and ingester.memory >> order[at] & 1:
        at += 1
    return ingester if at == ingester.at else ingester._replace(at=at)


def _set(events: Events) -> int:
    return sum(1 << event for event in events)
