"""What there is at one moment, volatile and durable. Immutable, hashable; numbers are kept small.

Events are numbered from 0 as host 0 sends them; a set of events is an int with a bit for each.
"""

from __future__ import annotations

from typing import NamedTuple

Events = tuple[int, ...]

OFF, ON, TOUCHED, HALF = range(4)
"""Ingester: not resumed; resumed and its WATCH holds; the cursor was touched; only half of a push is done."""
ROUND, MARK, PLAN = range(1, 4)
"""Writer, besides OFF (between two turns): claims; moves checkpoints; begins an epoch."""


class Cursor(NamedTuple):
    """Everything before `at` in the order of `host` is buffered."""

    epoch: int
    push: int
    host: int
    at: int

    def age(self) -> tuple[int, int]:
        """Order of cursors, as in `services.shared.cursor`."""
        return self.epoch, self.push


START = Cursor(0, 0, 0, 0)


class Redis(NamedTuple):
    """One server's data; with `always` all of it is durable."""

    cursor: Cursor | None
    epoch: int
    sure: bool
    """A writer has confirmed the cursor in this life of the server."""
    recent: int
    """Identities pushed, as a set of events."""
    buffers: tuple[Events, ...]
    """By stream."""
    claims: tuple[tuple[Events, ...], ...]
    """By stream and chunk setting; () is no claim."""


class Push(NamedTuple):
    """What one push carries, or a half of it where events and cursor do not go together."""

    events: Events
    recent: int
    """Identities to be remembered, as a set of events."""
    cursor: Cursor | None


class Ingester(NamedTuple):
    """All of it is volatile."""

    mode: int
    cursor: Cursor | None
    memory: int
    host: int
    at: int
    """Arrivals before it were received on `host` in this session."""
    half: Push | None
    """What is left of a push of which only a half was done."""


class Hand(NamedTuple):
    """The chunk that the writer works on."""

    stream: int
    setting: int
    """Whose claim it is, see `Redis.claims`."""
    events: Events
    watched: bool
    """Nobody has touched the claim since it was read, and the connection lives."""
    committed: int
    """0: no part yet; 1: renamed; 2: synced."""
    acked: bool


class Plan(NamedTuple):
    """An epoch that is about to begin."""

    before: Cursor | None
    cursor: Cursor
    lowered: tuple[int, ...]
    """Streams whose checkpoints are still to be set back."""
    noted: bool


class Writer(NamedTuple):
    """All of it is volatile but `setting`, which an operator changes."""

    mode: int
    setting: int
    """Index into the bounds' chunk sizes."""
    before: Cursor | None
    """As read at the round's start."""
    due: tuple[int, ...]
    """The streams of this round that are still to be claimed, the present one first."""
    marks: tuple[int, ...]
    """Those whose checkpoints are still to be moved behind it."""
    taken: int
    """Whether this stream's buffer was taken in this round: 0 no, 1 yes, 2 no but claims were scanned."""
    hand: Hand | None
    plan: Plan | None
    connected: bool


class Part(NamedTuple):
    """One file; `label` is 0 if its name follows from its events, else what makes it unlike others."""

    events: Events
    label: int
    durable: bool


class Checkpoint(NamedTuple):
    """What a reader sees, and what is left after a power cut."""

    seen: Cursor | None
    durable: Cursor | None


class Disk(NamedTuple):
    """The archive's filesystem."""

    parts: tuple[Part, ...]
    checkpoints: tuple[Checkpoint, ...]
    used: int
    """Highest epoch noted."""


class Late(NamedTuple):
    """A command under way on a connection that its daemon has given up."""

    stream: int
    """Of an ack or a claim; of a push it says nothing."""
    setting: int
    trims: int
    """Events that an ack removes; 0 makes it a claim."""
    push: Push | None


class State(NamedTuple):
    """All there is."""

    ingester: Ingester
    writer: Writer
    redis: Redis
    disk: Disk
    late: tuple[Late, ...]
    faults: int
    """Faults that may still happen."""
    excused: int
    """Events that Redis forgot when it lost its volume or was set back: doubled until compacted."""
    copy: Redis | None
    """A backup of Redis' volume."""
    synced: Redis
    """What Redis finds after a power cut."""
    tip: int
    """Events that a host has sent to anybody; kept only where an ingester may start live."""
