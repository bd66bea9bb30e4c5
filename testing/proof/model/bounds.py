"""How much of the endless protocol is looked at: events, streams, hosts, chunk sizes, faults."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations, pairwise
from typing import NamedTuple

from testing.proof.model.labels import Fault
from testing.proof.model.rules import ALL, Rules
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

SAME_HOST_REWIND = 1
"""The last event pushed is sent again."""
OTHER_HOST_REWIND = 2
"""Host 1 sends each two neighbours the other way round, so that nothing lies further apart."""
EVENTS_A_MOMENT = 2
"""So many neighbours share a time."""


class Bounds(NamedTuple):
    """The size of what is explored."""

    streams: tuple[int, ...]
    """The stream of each event, so their number too."""
    faults: int
    batch: int = 2
    """Most arrivals in one push."""
    chunks: tuple[int, ...] = (2, 1)
    """Chunk sizes that the writer may be set to, the first at the start."""
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
    """Rules and bounds, and what follows from the bounds alone."""

    def __init__(self, bounds: Bounds, rules: Rules = ALL) -> None:
        self.bounds = bounds
        self.rules = rules
        self.streams = max(bounds.streams) + 1
        count = len(bounds.streams)
        self.events = range(count)
        self.barred = frozenset(Fault) - frozenset(bounds.kinds)
        first = tuple(self.events)
        second = list(first)
        for left, right in list(pairwise(first))[::2]:
            second[left], second[right] = second[right], second[left]
        self.orders = (first, tuple(second))
        self.every = (1 << count) - 1
        every = range(self.streams)
        self.rounds = tuple(due for size in every for due in combinations(every, size + 1))
        """The streams that may be due together."""
        self.of_stream = tuple(
            sum(1 << event for event in self.events if bounds.streams[event] == stream)
            for stream in range(self.streams)
        )
        self.before = tuple(
            tuple(sum(1 << event for event in order[:at]) for at in range(count + 1)) for order in self.orders
        )

    @cached_property
    def start(self) -> State:
        """Nothing is there yet: no archive, an empty Redis, both daemons down."""
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
        """Return from where `host` sends."""
        if host == cursor.host:
            return max(0, cursor.at - SAME_HOST_REWIND)
        return max(0, cursor.at - (OTHER_HOST_REWIND if self.rules.rewind else 0))

    def skipped(self, cursor: Cursor) -> int:
        """Return the events that are not sent again from this cursor on its own host."""
        return self.before[cursor.host][self.resume(cursor, cursor.host)]

    def time(self, at: int) -> int:
        """Return the time of the event before `at`, on either host; -1 before the first."""
        return (at - 1) // EVENTS_A_MOMENT if at else -1
