"""The steps of the ingester: resume from the stored cursor, push arriving events together with the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.state import (
    HALF,
    OFF,
    ON,
    TOUCHED,
    Cursor,
    DelayedCommand,
    Events,
    Ingester,
    Push,
    State,
    apply_push,
    cursor_touched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.rules import Model

    Steps = Iterator[tuple[Label, State]]


def steps(state: State, model: Model) -> Steps:
    """Yield the next steps of the ingester, and the faults of its commands."""
    mode = state.ingester.mode
    if mode == OFF:
        yield from _resume(state, model)
    elif mode == HALF:
        yield from _rest(state, model)
    else:
        yield from _push(state, model)


def reset(ingester: Ingester, model: Model) -> Ingester:
    """Return the ingester after an error, without session."""
    return Ingester(OFF, None, 0 if model.rules.clear_window else ingester.window, 0, 0, None)


def moved(ingester: Ingester, model: Model, host: int) -> Ingester:
    """Return the ingester after it has connected to `host` from its cursor."""
    assert ingester.cursor is not None
    return _past_known(ingester._replace(host=host, at=model.resume(ingester.cursor, host)), model)


def _resume(state: State, model: Model) -> Steps:
    rules, redis = model.rules, state.redis
    cursor = redis.cursor
    if cursor is None:
        if rules.start_by_writer:
            return
        # It starts at the host's newest event and skips the earlier ones.
        cursor = Cursor(redis.epoch + 1, 0, 0, state.tip)
        redis = redis._replace(cursor=cursor, epoch=cursor.epoch, confirmed=True)
        at = state.tip
    elif redis.confirmed or not rules.wait_for_confirmation:
        at = model.resume(cursor, cursor.host)
    else:
        return
    delayed = tuple(one for one in state.delayed if one.push is None) if rules.fence else state.delayed
    window = redis.recent if rules.clear_window else state.ingester.window or redis.recent
    if not rules.dedup_by_identity:
        time = model.time(cursor.at)
        order = model.orders[cursor.host]
        window |= sum(1 << order[i] for i in model.events if model.time(i + 1) <= time)
    ingester = _past_known(Ingester(ON, cursor, window, cursor.host, at, None), model)
    yield Label(Move.RESUME), state._replace(ingester=ingester, redis=redis, delayed=delayed)


def _push(state: State, model: Model) -> Steps:
    rules, ingester = model.rules, state.ingester
    order, at, cursor = model.orders[ingester.host], ingester.at, ingester.cursor
    assert cursor is not None
    for size in range(1, model.bounds.batch + 1):
        if at + size > len(order):
            return
        fresh = tuple(event for event in order[at : at + size] if not ingester.window >> event & 1)
        mine = Cursor(cursor.epoch, cursor.push + 1, ingester.host, at + size)
        push = Push(fresh, _set(fresh), mine)
        window = ingester.window | push.recent
        after = _past_known(Ingester(ON, mine, window, ingester.host, at + size, None), model)
        progress = state
        if not rules.start_by_writer:
            progress = state._replace(tip=max(state.tip, at + size))
        if ingester.mode == TOUCHED and rules.watch_on_push:
            # Without waiting for the reply it continues with the next events.
            left = reset(ingester, model) if rules.one_push_in_flight else after
            yield Label(Move.REFUSED, fresh), progress._replace(ingester=left)
        elif not rules.cursor_with_events:
            yield from _half(progress, model, push, after)
        else:
            done = cursor_touched(progress._replace(redis=apply_push(state.redis, push, model)), model)
            yield Label(Move.BUFFER, fresh), done._replace(ingester=after)
            if state.faults:
                yield from _push_in_doubt(progress, done, model, push)


def _push_in_doubt(before: State, done: State, model: Model, push: Push) -> Steps:
    """Yield the states after a push whose reply is lost or which is delayed."""
    rules = model.rules
    left = reset(before.ingester, model)
    faults = before.faults - 1
    if not rules.no_push_retry:
        done = done._replace(redis=apply_push(done.redis, push, model))
    yield Label(Fault.PUSH_REPLY_LOST, push.events), done._replace(ingester=left, faults=faults)
    delayed = (*before.delayed, DelayedCommand(0, 0, 0, push))
    yield (
        Label(Fault.PUSH_DELAYED, push.events),
        before._replace(ingester=left, delayed=delayed, faults=faults),
    )


def _half(state: State, model: Model, push: Push, after: Ingester) -> Steps:
    halves = (Push(push.events, 0, None), push._replace(events=()))
    first, rest = halves if model.rules.events_first else halves[::-1]
    waiting = after._replace(mode=HALF, half=rest)
    done = cursor_touched(state._replace(redis=apply_push(state.redis, first, model)), model)
    label = Label(Move.BUFFER, first.events) if first.events else Label(Move.CURSOR)
    yield label, done._replace(ingester=waiting)


def _rest(state: State, model: Model) -> Steps:
    rest = state.ingester.half
    assert rest is not None
    done = cursor_touched(state._replace(redis=apply_push(state.redis, rest, model)), model)
    ingester = state.ingester._replace(mode=ON, half=None)
    yield Label(Move.BUFFER_REST, rest.events), done._replace(ingester=ingester)


def _past_known(ingester: Ingester, model: Model) -> Ingester:
    """Skip repeats at once: without new events there is no push."""
    order, at = model.orders[ingester.host], ingester.at
    while at < len(order) and ingester.window >> order[at] & 1:
        at += 1
    return ingester if at == ingester.at else ingester._replace(at=at)


def _set(events: Events) -> int:
    return sum(1 << event for event in events)
