"""The two days in seconds: the plan, and the player that the long runs use too."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.redis import NoServerError, find_server
from testing.performance.load.scenario import HOUR, Kind, Scenario
from testing.performance.load.soak import Soak, run_soak
from testing.performance.load.verdict import judge, limits_of

if TYPE_CHECKING:
    from pathlib import Path

    from testing.performance.load.result import Result

SECONDS = 45.0
RATE = 200.0


def broken(result: Result) -> list[str]:
    # A machine's load says nothing about two days in seconds, nor what is still to come at their end.
    ignored = {"redis_commands_per_s", "push_p99_seconds", "received_share"}
    findings = judge(result, limits_of(result.shape.name))
    return [str(one) for one in findings if not one.holds and one.limit not in ignored]


def need_server() -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))


@pytest.mark.parametrize("speed", [1.0, 72.0, 4320.0])
def test_two_days_hold_all_that_they_should(speed: float) -> None:
    scenario = Scenario(speed)
    acts = scenario.incidents()
    assert scenario.seconds == 48 * HOUR / speed
    assert acts == sorted(acts)
    away = [act for act in acts if act.kind is not Kind.RECONNECT]
    assert [act.kind for act in away] == [Kind.FAIL_OVER, Kind.OUTAGE, Kind.FAIL_OVER]
    assert away[1].lasts >= 8 * HOUR
    for one, other in itertools.pairwise(away):
        assert one.at + one.lasts < other.at
    reconnects = [act.at for act in acts if act.kind is Kind.RECONNECT]
    assert not [at for at in reconnects for act in away if act.at <= at <= act.at + act.lasts]
    # Every few minutes where there is time for it.
    assert len(reconnects) >= (400 if speed < 75 else 1)


def test_two_days_in_a_minute(tmp_path: Path) -> None:
    need_server()
    soak = Soak(Scenario(48 * HOUR / SECONDS), RATE)
    result = run_soak(soak, tmp_path / "soak", lambda _: None, print)
    assert not broken(result)
    assert result.incidents[Kind.FAIL_OVER] == 2
    assert result.incidents[Kind.OUTAGE] == 1
    assert result.incidents[Kind.RECONNECT] >= 1
    assert len(result.hours) >= 48
    assert result.truth > RATE * SECONDS / 2


def test_hosts_that_are_not_ours(tmp_path: Path) -> None:
    need_server()
    hosts = [Host({"rate": "300", "backlog": "120"}) for _ in range(2)]
    hosts[0].start()
    hosts[1].options |= {"first-us": str(hosts[0].first_us), "started": str(hosts[0].started)}
    hosts[1].start()
    try:
        addresses = tuple(host.address for host in hosts)
        soak = Soak(Scenario(48 * HOUR / SECONDS), 300.0, is_live=True, hosts=addresses)
        result = run_soak(soak, tmp_path / "live", lambda _: None, print)
        told = hosts[0].status()["tip"]
    finally:
        for host in hosts:
            host.stop()
    assert not broken(result)
    assert sum(result.hours.values()) > told / 2
    # Fail-overs put the other host first: both were read.
    assert result.incidents[Kind.FAIL_OVER] == 2
