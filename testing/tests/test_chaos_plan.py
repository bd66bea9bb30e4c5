"""What a seed makes of a run, without running it."""

from __future__ import annotations

import pytest

from testing.proof.chaos.__main__ import TEN_MINUTES_OF_RUNS
from testing.proof.chaos.faults import INJECT
from testing.proof.chaos.kinds import (
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
    touches,
    victim,
)
from testing.proof.chaos.plan import MOST_DISCONNECTS, OFTEN, OFTEN_ELSE, POINTS, plan

SEEDS = range(1, 400)


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert plan(7) == plan(7)
    assert len({plan(seed) for seed in SEEDS}) == len(SEEDS)


def test_a_default_run_goes_through_every_crash_point_and_every_kind_of_fault() -> None:
    plans = [plan(seed) for seed in range(1, 1 + TEN_MINUTES_OF_RUNS)]
    assert {fault.point for one in plans for fault in one.faults if fault.point} == set(POINTS)
    assert {kind for one in plans for kind in one.kinds} == set(Kind)


def test_what_is_expected_of_a_run_stays_expectable() -> None:
    for seed in SEEDS:
        one = plan(seed)
        kinds = [fault.kind for fault in one.faults]
        assert 2 <= len(kinds) <= 4
        assert sum(kind in UPSTREAM for kind in kinds) <= 1
        assert sum(fault.loses_data for fault in one.faults) <= 1
        assert sum(kind in DISCONNECTS for kind in kinds) <= MOST_DISCONNECTS
        if one.loses_data:
            assert not one.kinds & STRANGE_TIME
        if Kind.LOOK_BACK in kinds:
            assert one.kinds - {Kind.LOOK_BACK, Kind.CRASH_POINT} <= CALM
        if one.kinds & MOVING:
            assert not any(WIRED.get(kind) is Part.HOST for kind in kinds)
        if Kind.CUTOVER in kinds:
            assert one.kind == "v1"


def test_a_crash_point_strikes_at_a_time_that_comes_within_a_run() -> None:
    for seed in SEEDS:
        for fault in plan(seed).faults:
            if fault.point is not None:
                assert 1 <= fault.nth <= OFTEN.get(fault.point, OFTEN_ELSE)
                assert fault.at == 0.0 or fault.point not in START


def test_every_kind_is_carried_out_by_somebody_and_takes_hold_of_something() -> None:
    assert set(INJECT) == set(Kind)
    assert all(touches(kind) for kind in Kind if kind is not Kind.CRASH_POINT)
    for point in POINTS:
        assert victim(point) in touches(Kind.CRASH_POINT, point)


@pytest.mark.parametrize("kind", sorted(DATA_LOSS))
def test_a_loss_of_data_has_redis_to_itself(kind: Kind) -> None:
    assert Part.REDIS in touches(kind)
