"""The rules of the protocol as switches, and the bounds within which the model is explored."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import NamedTuple

from testing.proof.model.labels import Fault
from testing.proof.model.state import (
    OFF,
    Checkpoint,
    Cursor,
    Disk,
    Ingester,
    Redis,
    State,
    Writer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules that daemons, Redis and the filesystem follow; all hold unless some are left out."""

    cursor_with_events: bool = True
    """The cursor is stored in the transaction of the events before it."""
    events_first: bool = True
    """If not in one transaction, events are stored before the cursor."""
    no_push_retry: bool = True
    """A push is not sent again after a lost reply."""
    watch_on_push: bool = True
    """A push runs only if the cursor is unchanged since it was read."""
    fence: bool = True
    """A new connection closes the older connections of its user before it reads."""
    clear_window: bool = True
    """A reset clears the dedup window and loads it from Redis."""
    one_push_in_flight: bool = True
    """A refused push ends the session: the next push waits for the reply."""
    dedup_by_identity: bool = True
    """Repeats are recognised by identity, not by a time at or before the cursor's."""
    rewind_on_other_host: bool = True
    """On another host the ingester rewinds by more than the two hosts differ."""
    start_by_writer: bool = True
    """Only the writer sets the first cursor; an ingester never starts live."""
    wait_for_confirmation: bool = True
    """After a restart of Redis a writer compares cursor and checkpoints before the ingester continues."""
    appendfsync_always: bool = True
    """Redis syncs every command before it replies."""
    no_ack_retry: bool = True
    """An ack is not sent again after a lost reply."""
    watch_on_ack: bool = True
    """An ack runs only if the claim is unchanged since it was read."""
    ack_last: bool = True
    """A chunk is acked after its parts are durable."""
    fsync_parents: bool = True
    """The directories above a part are synced as well."""
    chunk_size_in_key: bool = True
    """A claim is cut by the chunk size of its key, not by the present setting."""
    deterministic_names: bool = True
    """The same chunk always has the same file names."""
    no_compaction_while_claimed: bool = True
    """Parts of a stream are not merged while the stream has a claim."""
    checkpoint_before_claim: bool = True
    """A checkpoint is the cursor that was read before the claim."""
    checkpoint_per_stream: bool = True
    """Resuming begins at the oldest checkpoint of all streams."""
    checkpoint_only_if_acked: bool = True
    """Only streams whose claims are all acked write their checkpoints."""
    error_voids_round: bool = True
    """A round with an error writes no checkpoint."""
    reread_cursor: bool = True
    """Cursor and epoch are read again before checkpoints are written."""
    rescan_after_rename: bool = True
    """A stream is empty only if a scan after RENAMENX finds no claim."""
    epoch_from_checkpoint: bool = True
    """A new epoch begins at the oldest checkpoint even if a cursor is stored."""
    lower_checkpoints: bool = True
    """A new epoch sets back the checkpoints beyond its cursor."""
    note_epoch: bool = True
    """An epoch's number is noted on disk before it begins."""
    sync_before_read: bool = True
    """Checkpoints are synced before they are used."""

    def without(self, *names: str) -> Rules:
        """Return these rules without the named ones."""
        return replace(self, **dict.fromkeys(names, False))

    def left_out(self) -> tuple[str, ...]:
        """Return the names of the rules that do not hold."""
        return tuple(field.name for field in fields(self) if not getattr(self, field.name))


ALL = Rules()


SAME_HOST_REWIND = 1
"""The last pushed event is sent again."""
OTHER_HOST_REWIND = 2
"""Host 1 sends each two neighbours in reverse order, so that events are at most this far apart."""
EVENTS_A_MOMENT = 2
"""The number of neighbours that share a time."""


class Bounds(NamedTuple):
    """The bounds of an exploration."""

    streams: tuple[int, ...]
    """The stream of each event, and so the number of events."""
    faults: int
    batch: int = 2
    """The most events in one push."""
    chunks: tuple[int, ...] = (2, 1)
    """The chunk sizes that the writer may be set to, the first at the start."""
    kinds: tuple[Fault, ...] = tuple(Fault)
    """The faults that may happen."""

    def __str__(self) -> str:
        events, streams = len(self.streams), max(self.streams) + 1
        only = "" if len(self.kinds) == len(Fault) else f" ({', '.join(self.kinds)})"
        return (
            f"{events} events in {streams} stream{'s' * (streams > 1)}, {self.faults} faults{only}, "
            f"pushes of 1 to {self.batch}, chunks of {' or '.join(map(str, self.chunks))}, 2 hosts"
        )


class Model:
    """Rules and bounds, and values that follow from the bounds."""

    def __init__(self, bounds: Bounds, rules: Rules = ALL) -> None:
        self.bounds = bounds
        self.rules = rules
        self.streams = max(bounds.streams) + 1
        count = len(bounds.streams)
        self.events = range(count)
        self.excluded = frozenset(Fault) - frozenset(bounds.kinds)
        first = tuple(self.events)
        second = list(first)
        for left, right in list(pairwise(first))[::2]:
            second[left], second[right] = second[right], second[left]
        self.orders = (first, tuple(second))
        self.every = (1 << count) - 1
        every = range(self.streams)
        self.rounds = tuple(due for size in every for due in combinations(every, size + 1))
        """The sets of streams that a round may have."""
        self.of_stream = tuple(
            sum(1 << event for event in self.events if bounds.streams[event] == stream)
            for stream in range(self.streams)
        )
        self.before = tuple(
            tuple(sum(1 << event for event in order[:at]) for at in range(count + 1)) for order in self.orders
        )

    @cached_property
    def start(self) -> State:
        """The first state: no archive, an empty Redis, both daemons down."""
        nothing = ((),) * self.streams
        redis = Redis(None, 0, False, 0, nothing, ((((),) * len(self.bounds.chunks)),) * self.streams)
        return State(
            Ingester(OFF, None, 0, 0, 0, None),
            Writer(OFF, 0, None, (), (), 0, None, None, connected=False),
            redis,
            Disk((), (Checkpoint(None, None),) * self.streams, 0),
            (),
            self.bounds.faults,
            0,
            None,
            redis,
            0,
        )

    def resume(self, cursor: Cursor, host: int) -> int:
        """Return the position from which `host` sends."""
        if host == cursor.host:
            return max(0, cursor.at - SAME_HOST_REWIND)
        return max(0, cursor.at - (OTHER_HOST_REWIND if self.rules.rewind_on_other_host else 0))

    def skipped(self, cursor: Cursor) -> int:
        """Return the events that are not sent again from this cursor on its own host."""
        return self.before[cursor.host][self.resume(cursor, cursor.host)]

    def time(self, at: int) -> int:
        """Return the time of the event before `at`, on either host; -1 before the first."""
        return (at - 1) // EVENTS_A_MOMENT if at else -1
