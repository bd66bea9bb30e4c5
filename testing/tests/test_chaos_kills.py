"""Kill -9 at random moments: short runs of what `python -m testing.chaos.kills` does at length."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from testing.chaos.kills import Plan, run
from testing.chaos.schedule import Victim, schedule
from testing.fixtures import missing
from testing.redis_server import NoServerError, find_server

if TYPE_CHECKING:
    from pathlib import Path

DEATHS = {Victim.WRITER: 4, Victim.INGESTER: 4, Victim.REDIS: 2}


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_nothing_is_lost_or_doubled_when_anything_is_killed(tmp_path: Path, kind: str) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    outcome = run(Plan(seed=7, events=10_000, rate=1000.0, kind=kind, deaths=DEATHS), tmp_path)
    assert outcome.trouble == []
    assert outcome.killed == Counter(DEATHS)
    assert outcome.traces["times resumed from the cursor"] > DEATHS[Victim.INGESTER] // 2
    assert outcome.verdict.passed, str(outcome.verdict)
    assert sum(stream.truth for stream in outcome.verdict.streams.values()) == 10_000


def test_a_schedule_is_a_function_of_its_seed_and_spreads_each_victims_deaths() -> None:
    planned = schedule(3, DEATHS, 20.0)
    assert planned == schedule(3, DEATHS, 20.0)
    assert planned != schedule(4, DEATHS, 20.0)
    assert planned == sorted(planned)
    for victim, count in DEATHS.items():
        spans = [int(death.at / (20.0 / count)) for death in planned if death.victim is victim]
        assert spans == list(range(count))
