"""The state of the system, volatile and durable, and the effects of Redis commands on it.

States are immutable and hashable. Events are numbered from 0 in the order of host 0; a set of events is an
int with a bit for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testing.proof.model.labels import Label, Move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.proof.model.rules import Model

Events = tuple[int, ...]

OFF, ON, TOUCHED, HALF = range(4)
"""Modes of the ingester: not resumed; resumed; resumed, watched cursor changed; half of a push done."""
ROUND, CHECKPOINT, PLAN = range(1, 4)
"""Modes of the writer besides OFF (between turns): claims; writes checkpoints; begins an epoch."""


class Cursor(NamedTuple):
    """Everything before `at` in the order of `host` is buffered."""

    epoch: int
    push: int
    host: int
    at: int

    def age(self) -> tuple[int, int]:
        """Return the key by which cursors are ordered, as in `services.shared.cursor`."""
        return self.epoch, self.push


START = Cursor(0, 0, 0, 0)


class Redis(NamedTuple):
    """The data of one server; with appendfsync always all of it is durable."""

    cursor: Cursor | None
    epoch: int
    confirmed: bool
    """A writer has confirmed the cursor since the server started."""
    recent: int
    """Identities pushed, as a set of events."""
    buffers: tuple[Events, ...]
    """By stream."""
    claims: tuple[tuple[Events, ...], ...]
    """By stream and chunk setting; () is no claim."""


class Push(NamedTuple):
    """The content of a push, or of half of it where events and cursor are sent separately."""

    events: Events
    recent: int
    """Identities to store, as a set of events."""
    cursor: Cursor | None


class Ingester(NamedTuple):
    """The ingester; all of it is volatile."""

    mode: int
    cursor: Cursor | None
    window: int
    host: int
    at: int
    """Events before this position of `host` were received in this session."""
    half: Push | None
    """The rest of a push of which half is done."""


class CurrentChunk(NamedTuple):
    """The chunk that the writer commits and acks."""

    stream: int
    setting: int
    """The chunk setting of its claim, see `Redis.claims`."""
    events: Events
    watched: bool
    """The claim is unchanged since it was read, on the same connection."""
    committed: int
    """0: no part yet; 1: renamed; 2: synced."""
    acked: bool


class Plan(NamedTuple):
    """An epoch that the writer is about to begin."""

    before: Cursor | None
    cursor: Cursor
    lowered: tuple[int, ...]
    """Streams whose checkpoints must still be set back."""
    noted: bool


class Writer(NamedTuple):
    """The writer; all of it is volatile except `setting`, which an operator changes."""

    mode: int
    setting: int
    """Index into the bounds' chunk sizes."""
    before: Cursor | None
    """The cursor as read at the start of the round."""
    due: tuple[int, ...]
    """The streams of this round that must still be claimed, the current one first."""
    to_checkpoint: tuple[int, ...]
    """The streams of this round whose checkpoints must still be written."""
    taken: int
    """Whether the stream's buffer was claimed in this round: 0 no, 1 yes, 2 no, but claims were scanned."""
    current: CurrentChunk | None
    plan: Plan | None
    connected: bool


class Part(NamedTuple):
    """One file; `label` is 0 if the name follows from the events, else a number that makes it unique."""

    events: Events
    label: int
    durable: bool


class Checkpoint(NamedTuple):
    """A checkpoint as a reader sees it, and as it is after a power cut."""

    visible: Cursor | None
    durable: Cursor | None


class Disk(NamedTuple):
    """The archive's filesystem."""

    parts: tuple[Part, ...]
    checkpoints: tuple[Checkpoint, ...]
    noted_epoch: int
    """The highest epoch that is noted on disk."""


class DelayedCommand(NamedTuple):
    """A command on its way on a connection that its daemon has closed."""

    stream: int
    """For an ack or a claim; 0 for a push."""
    setting: int
    trims: int
    """The number of events that an ack removes; 0 for a claim."""
    push: Push | None


class State(NamedTuple):
    """The state of the whole system."""

    ingester: Ingester
    writer: Writer
    redis: Redis
    disk: Disk
    delayed: tuple[DelayedCommand, ...]
    faults: int
    """The number of faults that may still happen."""
    may_double: int
    """Events whose identities Redis lost with its volume or by a restored backup: doubled until compacted."""
    backup: Redis | None
    """A backup of Redis' volume."""
    synced: Redis
    """Redis' data after a power cut."""
    tip: int
    """The number of events that a host has sent; kept only where an ingester may start live."""


def apply_push(redis: Redis, push: Push, model: Model) -> Redis:
    """Return Redis after a push, or after half of one."""
    buffers = redis.buffers
    if push.events:
        of = model.bounds.streams
        lists = list(buffers)
        for event in push.events:
            lists[of[event]] += (event,)
        buffers = tuple(lists)
    cursor = redis.cursor if push.cursor is None else push.cursor
    return redis._replace(buffers=buffers, recent=redis.recent | push.recent, cursor=cursor)


def apply_rename(redis: Redis, stream: int, setting: int) -> Redis | None:
    """Return Redis after RENAMENX, or None if it changes nothing."""
    events = redis.buffers[stream]
    if not events or redis.claims[stream][setting]:
        return None
    return _with_claim(redis, stream, setting, events)._replace(
        buffers=(*redis.buffers[:stream], (), *redis.buffers[stream + 1 :])
    )


def apply_trim(redis: Redis, stream: int, setting: int, count: int) -> Redis:
    """Return Redis after LTRIM."""
    return _with_claim(redis, stream, setting, redis.claims[stream][setting][count:])


def cursor_touched(state: State, model: Model) -> State:
    """Abort the transactions that watch the cursor."""
    ingester = state.ingester
    if ingester.mode == ON:
        state = state._replace(ingester=ingester._replace(mode=TOUCHED))
    if model.rules.watch_on_push and state.delayed:
        state = state._replace(delayed=tuple(one for one in state.delayed if one.push is None))
    return state


def claim_touched(state: State, model: Model, stream: int, setting: int) -> State:
    """Abort the transactions that watch a claim."""
    current = state.writer.current
    if current is not None and (current.stream, current.setting) == (stream, setting):
        state = state._replace(writer=state.writer._replace(current=current._replace(watched=False)))
    if model.rules.watch_on_ack and state.delayed:
        delayed = tuple(
            one for one in state.delayed if not one.trims or (one.stream, one.setting) != (stream, setting)
        )
        state = state._replace(delayed=delayed)
    return state


def delayed_runs(state: State, model: Model) -> Iterator[tuple[Label, State]]:
    """Yield the state after each delayed command has run; those whose watched key changed are gone."""
    for index, one in enumerate(state.delayed):
        left = state._replace(delayed=state.delayed[:index] + state.delayed[index + 1 :])
        yield Label(Move.DELAYED_RUNS), _after_delayed(left, model, one)


def _after_delayed(state: State, model: Model, delayed: DelayedCommand) -> State:
    redis = state.redis
    if delayed.push is not None:
        return cursor_touched(state._replace(redis=apply_push(redis, delayed.push, model)), model)
    if delayed.trims:
        redis = apply_trim(redis, delayed.stream, delayed.setting, delayed.trims)
    else:
        done = apply_rename(redis, delayed.stream, delayed.setting)
        if done is None:
            return state
        redis = done
    return claim_touched(state._replace(redis=redis), model, delayed.stream, delayed.setting)


def _with_claim(redis: Redis, stream: int, setting: int, events: Events) -> Redis:
    claims = redis.claims
    mine = claims[stream]
    mine = (*mine[:setting], events, *mine[setting + 1 :])
    return redis._replace(claims=(*claims[:stream], mine, *claims[stream + 1 :]))
