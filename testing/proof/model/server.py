"""What commands do to Redis, and to whoever watches a key that they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.model.labels import Label, Move
from testing.proof.model.state import ON, TOUCHED, Events, Late, Push, Redis, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.bounds import Model


def pushed(redis: Redis, push: Push, model: Model) -> Redis:
    """Carry out a push, or the half of one."""
    buffers = redis.buffers
    if push.events:
        of = model.bounds.streams
        lists = list(buffers)
        for event in push.events:
            lists[of[event]] += (event,)
        buffers = tuple(lists)
    cursor = redis.cursor if push.cursor is None else push.cursor
    return redis._replace(buffers=buffers, recent=redis.recent | push.recent, cursor=cursor)


def taken(redis: Redis, stream: int, setting: int) -> Redis | None:
    """Carry out RENAMENX; None if it changes nothing."""
    events = redis.buffers[stream]
    if not events or redis.claims[stream][setting]:
        return None
    return _with_claim(redis, stream, setting, events)._replace(
        buffers=(*redis.buffers[:stream], (), *redis.buffers[stream + 1 :])
    )


def trimmed(redis: Redis, stream: int, setting: int, count: int) -> Redis:
    """Carry out LTRIM."""
    return _with_claim(redis, stream, setting, redis.claims[stream][setting][count:])


def cursor_touched(state: State, model: Model) -> State:
    """Tell whoever watches the cursor."""
    ingester = state.ingester
    if ingester.mode == ON:
        state = state._replace(ingester=ingester._replace(mode=TOUCHED))
    if model.rules.push_watch and state.late:
        state = state._replace(late=tuple(one for one in state.late if one.push is None))
    return state


def claim_touched(state: State, model: Model, stream: int, setting: int) -> State:
    """Tell whoever watches a claim."""
    hand = state.writer.hand
    if hand is not None and (hand.stream, hand.setting) == (stream, setting):
        state = state._replace(writer=state.writer._replace(hand=hand._replace(watched=False)))
    if model.rules.ack_watch and state.late:
        late = tuple(
            one for one in state.late if not one.trims or (one.stream, one.setting) != (stream, setting)
        )
        state = state._replace(late=late)
    return state


def landings(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    """Let a delayed command be carried out: what it watched was dropped when it changed."""
    for index, one in enumerate(state.late):
        left = state._replace(late=state.late[:index] + state.late[index + 1 :])
        yield Label(Move.LATE_LANDS), _landed(left, model, one)


def _landed(state: State, model: Model, late: Late) -> State:
    redis = state.redis
    if late.push is not None:
        return cursor_touched(state._replace(redis=pushed(redis, late.push, model)), model)
    if late.trims:
        redis = trimmed(redis, late.stream, late.setting, late.trims)
    else:
        done = taken(redis, late.stream, late.setting)
        if done is None:
            return state
        redis = done
    return claim_touched(state._replace(redis=redis), model, late.stream, late.setting)


def _with_claim(redis: Redis, stream: int, setting: int, events: Events) -> Redis:
    claims = redis.claims
    mine = claims[stream]
    mine = (*mine[:setting], events, *mine[setting + 1 :])
    return redis._replace(claims=(*claims[:stream], mine, *claims[stream + 1 :]))
