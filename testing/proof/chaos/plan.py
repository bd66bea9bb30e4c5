"""Pure: what happens in a run, all of it from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from services.shared.crash_points import CrashPoint
from testing.proof.chaos.kinds import (
    AFTER_COMMIT,
    CALM,
    DATA_LOSS,
    DISCONNECTS,
    MOVING,
    START,
    STRANGE_TIME,
    UPSTREAM,
    WIRED,
    Kind,
    Part,
)

POINTS = tuple(point for point in CrashPoint if point not in AFTER_COMMIT)
FEATURES = tuple(kind for kind in Kind if kind is not Kind.CRASH_POINT)
MOST_DISCONNECTS = 2
RATES = (1000, 1500, 2000)
SLOW_RATE = 500
"""Where a run must last for long, or its event time runs at five times the speed."""
SPREAD_SECONDS = 2.5
"""Moments of all faults but the first lie within so much; they take their time one after another."""
OFTEN = {
    # What comes to its death within a run only in small numbers; all others die at the 1st to 12th time.
    CrashPoint.RECOVER_SWEPT: 1,
    CrashPoint.RECOVER_ID_STAGED: 1,
    CrashPoint.RECOVER_CHECKPOINT_CREATED: 9,
    CrashPoint.RECOVER_CHECKPOINT_LOWERED: 1,
    CrashPoint.RECOVER_EPOCH_NOTED: 1,
    CrashPoint.RECOVER_EPOCH_BEGUN: 1,
    CrashPoint.RECOVER_CONFIRMED: 1,
    CrashPoint.RECEIVE_RESUMED: 1,
    CrashPoint.RECEIVE_PAUSED: 1,
    CrashPoint.CLAIM_FOUND: 1,
    CrashPoint.COMMIT_STALE_PART_REMOVED: 1,
}
OFTEN_ELSE = 12


@dataclass(frozen=True)
class Fault:
    """One fault to come."""

    kind: Kind
    at: float
    """Seconds after the first push."""
    seconds: float
    """How long it lasts, or what was killed stays away; 0 for at once."""
    nth: int = 1
    """At which time a crash point or a trap strikes."""
    share: float = 0.5
    """A number between 0 and 1 for what else is to be chosen."""
    point: CrashPoint | None = None

    @property
    def loses_data(self) -> bool:
        """Whether Redis forgets what it acknowledged."""
        return self.kind in DATA_LOSS or self.point is CrashPoint.RECOVER_CHECKPOINT_LOWERED

    def __str__(self) -> str:
        """Say it on one line."""
        what = f"{self.point} ({self.nth})" if self.point else self.kind
        return f"{self.at:.2f} s {what}" + (f" for {self.seconds:.2f} s" if self.seconds else "")


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    kind: Literal["v1", "v2"]
    """Of the host."""
    rate: int
    """Events a second."""
    push_events: int
    chunk: int
    is_at_border: bool
    """An hour of event time ends while events flow."""
    faults: tuple[Fault, ...]

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of its faults."""
        return frozenset(fault.kind for fault in self.faults)

    @property
    def loses_data(self) -> bool:
        """Whether events may be doubled until compaction."""
        return any(fault.loses_data for fault in self.faults)


def plan(seed: int) -> Plan:
    """Return the run of a seed; seeds in a row go through all crash points and all kinds of fault."""
    dice = random.Random(seed)
    point = POINTS[seed % len(POINTS)]
    faults = [
        Fault(
            Kind.CRASH_POINT,
            0.0 if point in START else dice.uniform(0.1, SPREAD_SECONDS),
            _pause(dice),
            dice.randint(1, OFTEN.get(point, OFTEN_ELSE)),
            dice.random(),
            point,
        )
    ]
    wanted = [FEATURES[seed % len(FEATURES)], *dice.sample(FEATURES, len(FEATURES))]
    most = len(faults) + 1 + dice.randint(1, 2)
    for kind in wanted:
        if len(faults) < most and fits(faults, kind):
            at = dice.uniform(0.1, SPREAD_SECONDS)
            faults.append(Fault(kind, at, _lasting(kind, dice), dice.randint(1, 6), dice.random()))
    kinds = {fault.kind for fault in faults}
    host: Literal["v1", "v2"] = "v1" if dice.random() < 0.5 else "v2"
    return Plan(
        seed=seed,
        kind="v1" if Kind.CUTOVER in kinds else host,
        rate=SLOW_RATE if kinds & {Kind.CUTOVER, Kind.BLIND} else dice.choice(RATES),
        push_events=dice.choice((100, 250, 500)),
        chunk=dice.choice((200, 400, 800)),
        is_at_border=dice.random() < 0.5,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
    )


def fits(faults: list[Fault], kind: Kind) -> bool:
    """Whether this kind may come beside those faults: what it expects must stay expectable."""
    kinds = [fault.kind for fault in faults]
    loses = any(fault.loses_data for fault in faults)
    return not (
        (kind in kinds and kind is not Kind.KILL_WRITER)
        or (kind in UPSTREAM and any(one in UPSTREAM for one in kinds))
        or (kind in DATA_LOSS and (loses or any(one in STRANGE_TIME for one in kinds)))
        or (kind in STRANGE_TIME and loses)
        or (kind in DISCONNECTS and sum(one in DISCONNECTS for one in kinds) >= MOST_DISCONNECTS)
        or (kind in MOVING and any(WIRED.get(one) is Part.HOST for one in kinds))
        or (WIRED.get(kind) is Part.HOST and any(one in MOVING for one in kinds))
        or (kind is Kind.LOOK_BACK and not all(_is_calm(fault) for fault in faults))
        or (Kind.LOOK_BACK in kinds and kind not in CALM)
    )


def _is_calm(fault: Fault) -> bool:
    return fault.kind in CALM or (fault.point is not None and fault.point is not CrashPoint.RECEIVE_PAUSED)


def _pause(dice: random.Random) -> float:
    """Return how long what was killed stays away: half of the time not at all."""
    return 0.0 if dice.random() < 0.5 else round(dice.uniform(0.1, 0.8), 2)


def _lasting(kind: Kind, dice: random.Random) -> float:
    shortest, longest = _LASTING.get(kind, (0.0, 0.0))
    return round(dice.uniform(shortest, longest), 2) if longest else _pause(dice)


_LASTING = {
    # Longer than the daemons wait for Redis, see REDIS_TIMEOUT_SECONDS.
    Kind.STOP_REDIS: (2.2, 3.0),
    Kind.INGESTER_STALLED: (2.2, 3.0),
    Kind.WRITER_STALLED: (2.2, 3.0),
    Kind.HOST_STALLED: (1.0, 3.5),
    Kind.STOP_INGESTER: (1.0, 2.5),
    Kind.STOP_WRITER: (1.0, 2.5),
    Kind.LOADING: (0.8, 1.5),
    Kind.READONLY: (0.5, 1.5),
    Kind.FULL: (0.5, 2.0),
    Kind.AOF_CUT: (0.2, 0.8),
    Kind.BACKUP_RESTORED: (0.3, 1.5),
    Kind.PUSH_LATE: (0.0, 1.0),
    Kind.ACK_LATE: (0.0, 1.0),
    Kind.INGESTER_CUT: (0.1, 1.0),
    Kind.WRITER_CUT: (0.1, 1.0),
    Kind.HOST_CUT: (0.1, 1.0),
    Kind.INGESTER_BYTEWISE: (0.3, 0.8),
    Kind.WRITER_BYTEWISE: (0.3, 0.8),
    Kind.HOST_BYTEWISE: (0.3, 0.8),
    Kind.SILENCE: (0.5, 3.0),
    Kind.DOWN: (0.3, 1.5),
    Kind.FAIL_OVER: (1.5, 2.5),
    Kind.LOOK_BACK: (5.0, 6.0),
}
