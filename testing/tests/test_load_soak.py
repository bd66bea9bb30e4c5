"""The soak of two days in seconds: its scenario and its player."""

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
    # These limits depend on the machine's load, which a soak in seconds does not measure.
    ignored = {"redis_commands_per_s", "push_p99_seconds", "received_share"}
    findings = judge(result, limits_of(result.shape.name))
    return [str(one) for one in findings if not one.holds and one.limit not in ignored]


def need_server() -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))


@pytest.mark.parametrize("speed", [1.0, 72.0, 4320.0])
def test_the_scenario_holds_every_incident(speed: float) -> None:
    scenario = Scenario(speed)
    incidents = scenario.incidents()
    assert scenario.seconds == 48 * HOUR / speed
    assert incidents == sorted(incidents)
    away = [incident for incident in incidents if incident.kind is not Kind.RECONNECT]
    assert [incident.kind for incident in away] == [Kind.FAIL_OVER, Kind.OUTAGE, Kind.FAIL_OVER]
    assert away[1].lasts >= 8 * HOUR
    for one, other in itertools.pairwise(away):
        assert one.at + one.lasts < other.at
    reconnects = [incident.at for incident in incidents if incident.kind is Kind.RECONNECT]
    assert not [
        at for at in reconnects for incident in away if incident.at <= at <= incident.at + incident.lasts
    ]
    # Every few minutes, where the speed permits it.
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


def test_a_live_soak_on_hosts_that_it_does_not_control(tmp_path: Path) -> None:
    need_server()
    hosts = [Host({"rate": "300", "backlog": "120"}) for _ in range(2)]
    hosts[0].start()
    hosts[1].options |= {"first-us": str(hosts[0].first_us), "started": str(hosts[0].started)}
    hosts[1].start()
    try:
        addresses = tuple(host.address for host in hosts)
        soak = Soak(Scenario(48 * HOUR / SECONDS), 300.0, is_live=True, hosts=addresses)
        result = run_soak(soak, tmp_path / "live", lambda _: None, print)
        sent = hosts[0].status()["tip"]
    finally:
        for host in hosts:
            host.stop()
    assert not broken(result)
    assert sum(result.hours.values()) > sent / 2
    # Fail-overs put the other host first: both were read.
    assert result.incidents[Kind.FAIL_OVER] == 2
