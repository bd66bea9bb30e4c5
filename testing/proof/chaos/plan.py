"""The plan of a run: a pure function of the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from services.shared.crash_points import CrashPoint
from testing.proof.chaos.kinds import (
    COMPACTION_POINTS,
    DATA_LOSS,
    DISCONNECTS,
    DISTURBED,
    HOST_FAULTS,
    SECOND_HOST,
    START_POINTS,
    UNORDERED,
    WITH_LOOK_BACK,
    Component,
    Kind,
)

POINTS = tuple(point for point in CrashPoint if point not in COMPACTION_POINTS)
OTHER_KINDS = tuple(kind for kind in Kind if kind is not Kind.CRASH_POINT)
MOST_DISCONNECTS = 2
RATES = (1000, 1500, 2000)
SLOW_RATE = 500
"""For long runs, and for those whose event time runs at five times the speed."""
SPREAD_SECONDS = 2.5
"""All faults begin within this time; those on the same component run one after another."""
MOST_HITS = {
    # Points that a run reaches only a few times; at all others the process dies at the 1st to 12th time.
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
MOST_HITS_ELSE = 12


@dataclass(frozen=True)
class Fault:
    """One fault of a plan."""

    kind: Kind
    at: float
    """Seconds after the first push."""
    seconds: float
    """How long it lasts, or how long a killed process stays down."""
    nth: int = 1
    """A crash point or a trap acts at the nth time, counted from 1."""
    fraction: float = 0.5
    """Between 0 and 1: where within its range another parameter of the fault lies."""
    point: CrashPoint | None = None

    @property
    def loses_data(self) -> bool:
        """Whether Redis loses acknowledged commands."""
        return self.kind in DATA_LOSS or self.point is CrashPoint.RECOVER_CHECKPOINT_LOWERED

    def __str__(self) -> str:
        """Describe it on one line."""
        what = f"{self.point} ({self.nth})" if self.point else self.kind
        return f"{self.at:.2f} s {what}" + (f" for {self.seconds:.2f} s" if self.seconds else "")


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    kind: Literal["v1", "v2"]
    """The version of Jetstream that the host speaks."""
    rate: int
    """Events per second."""
    push_events: int
    chunk: int
    crosses_hour: bool
    """An hour of event time ends while events flow."""
    faults: tuple[Fault, ...]

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of the faults."""
        return frozenset(fault.kind for fault in self.faults)

    @property
    def loses_data(self) -> bool:
        """Whether events may be doubled until compaction."""
        return any(fault.loses_data for fault in self.faults)


def plan(seed: int) -> Plan:
    """Return the plan of a seed; consecutive seeds go through all crash points and all kinds of faults."""
    rng = random.Random(seed)
    point = POINTS[seed % len(POINTS)]
    faults = [
        Fault(
            Kind.CRASH_POINT,
            0.0 if point in START_POINTS else rng.uniform(0.1, SPREAD_SECONDS),
            _downtime(rng),
            rng.randint(1, MOST_HITS.get(point, MOST_HITS_ELSE)),
            rng.random(),
            point,
        )
    ]
    wanted = [OTHER_KINDS[seed % len(OTHER_KINDS)], *rng.sample(OTHER_KINDS, len(OTHER_KINDS))]
    most = len(faults) + 1 + rng.randint(1, 2)
    for kind in wanted:
        if len(faults) < most and is_compatible(faults, kind):
            at = rng.uniform(0.1, SPREAD_SECONDS)
            faults.append(Fault(kind, at, _duration(kind, rng), rng.randint(1, 6), rng.random()))
    kinds = {fault.kind for fault in faults}
    host: Literal["v1", "v2"] = "v1" if rng.random() < 0.5 else "v2"
    return Plan(
        seed=seed,
        kind="v1" if Kind.CUTOVER in kinds else host,
        rate=SLOW_RATE if kinds & {Kind.CUTOVER, Kind.BLIND} else rng.choice(RATES),
        push_events=rng.choice((100, 250, 500)),
        chunk=rng.choice((200, 400, 800)),
        crosses_hour=rng.random() < 0.5,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
    )


def is_compatible(faults: list[Fault], kind: Kind) -> bool:
    """Whether a fault of this kind may be added: the result of the run must stay predictable."""
    kinds = [fault.kind for fault in faults]
    loses = any(fault.loses_data for fault in faults)
    return not (
        (kind in kinds and kind is not Kind.KILL_WRITER)
        or (kind in HOST_FAULTS and any(one in HOST_FAULTS for one in kinds))
        or (kind in DATA_LOSS and (loses or any(one in UNORDERED for one in kinds)))
        or (kind in UNORDERED and loses)
        or (kind in DISCONNECTS and sum(one in DISCONNECTS for one in kinds) >= MOST_DISCONNECTS)
        or (kind in SECOND_HOST and any(DISTURBED.get(one) is Component.HOST for one in kinds))
        or (DISTURBED.get(kind) is Component.HOST and any(one in SECOND_HOST for one in kinds))
        or (kind is Kind.LOOK_BACK and not all(_goes_with_look_back(fault) for fault in faults))
        or (Kind.LOOK_BACK in kinds and kind not in WITH_LOOK_BACK)
    )


def _goes_with_look_back(fault: Fault) -> bool:
    return fault.kind in WITH_LOOK_BACK or (
        fault.point is not None and fault.point is not CrashPoint.RECEIVE_PAUSED
    )


def _downtime(rng: random.Random) -> float:
    """Return how long a killed process stays down; 0 in half of the cases."""
    return 0.0 if rng.random() < 0.5 else round(rng.uniform(0.1, 0.8), 2)


def _duration(kind: Kind, rng: random.Random) -> float:
    shortest, longest = _DURATION.get(kind, (0.0, 0.0))
    return round(rng.uniform(shortest, longest), 2) if longest else _downtime(rng)


_DURATION = {
    # Longer than the daemons wait for Redis: REDIS_TIMEOUT_SECONDS.
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
