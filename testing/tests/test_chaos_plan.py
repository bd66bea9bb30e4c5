"""The plans of chaos runs."""

from __future__ import annotations

import pytest

from testing.proof.chaos.__main__ import RUNS_IN_TEN_MINUTES
from testing.proof.chaos.faults import INJECT
from testing.proof.chaos.kinds import (
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
    touches,
    victim,
)
from testing.proof.chaos.plan import MOST_DISCONNECTS, MOST_HITS, MOST_HITS_ELSE, POINTS, plan

SEEDS = range(1, 400)


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert plan(7) == plan(7)
    assert len({plan(seed) for seed in SEEDS}) == len(SEEDS)


def test_a_default_run_goes_through_every_crash_point_and_every_kind_of_fault() -> None:
    plans = [plan(seed) for seed in range(1, 1 + RUNS_IN_TEN_MINUTES)]
    assert {fault.point for one in plans for fault in one.faults if fault.point} == set(POINTS)
    assert {kind for one in plans for kind in one.kinds} == set(Kind)


def test_faults_of_a_plan_do_not_exclude_each_other() -> None:
    for seed in SEEDS:
        one = plan(seed)
        kinds = [fault.kind for fault in one.faults]
        assert 2 <= len(kinds) <= 4
        assert sum(kind in HOST_FAULTS for kind in kinds) <= 1
        assert sum(fault.loses_data for fault in one.faults) <= 1
        assert sum(kind in DISCONNECTS for kind in kinds) <= MOST_DISCONNECTS
        if one.loses_data:
            assert not one.kinds & UNORDERED
        if Kind.LOOK_BACK in kinds:
            assert one.kinds - {Kind.LOOK_BACK, Kind.CRASH_POINT} <= WITH_LOOK_BACK
        if one.kinds & SECOND_HOST:
            assert not any(DISTURBED.get(kind) is Component.HOST for kind in kinds)
        if Kind.CUTOVER in kinds:
            assert one.kind == "v1"


def test_a_crash_point_is_reached_often_enough_within_a_run() -> None:
    for seed in SEEDS:
        for fault in plan(seed).faults:
            if fault.point is not None:
                assert 1 <= fault.nth <= MOST_HITS.get(fault.point, MOST_HITS_ELSE)
                assert fault.at == 0.0 or fault.point not in START_POINTS


def test_every_kind_has_an_injecting_function_and_needs_a_component() -> None:
    assert set(INJECT) == set(Kind)
    assert all(touches(kind) for kind in Kind if kind is not Kind.CRASH_POINT)
    for point in POINTS:
        assert victim(point) in touches(Kind.CRASH_POINT, point)


@pytest.mark.parametrize("kind", sorted(DATA_LOSS))
def test_a_loss_of_data_has_redis_to_itself(kind: Kind) -> None:
    assert Component.REDIS in touches(kind)
