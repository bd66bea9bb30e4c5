"""The model's shortest traces, played by the real daemons: what breaks a weaker protocol does not break ours.

A scenario says at which moments its faults fall; a trace is matched with the scenarios that play its moments,
so that neither can change without the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.chaos.report import totals
from testing.proof.model.harm import Harm
from testing.proof.model.table import ROWS
from testing.proof.model.trace import moments
from testing.proof.mutants.plays import PLAYS

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.mutants.scenarios import Scenario

NOT_PLAYED = {
    "host changed": "services/jetstream/tests/test_follow.py and test_lying_hosts.py lead from host to host",
    "power cut in a round": "needs a filesystem that forgets: testing/tests/test_power.py",
    "claim delayed": "the proxy holds back an EXEC, and RENAMENX goes without one",
}
"""Moments that no scenario has, and why."""
HARMFUL = [row for row in ROWS if row.harm is not Harm.NONE]
TRACES = {row.name: moments(row.found.trace) for row in HARMFUL}
PLAYED = [scenario for scenario, plays in PLAYS.items() if plays in TRACES.values()]


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_has_a_scenario_or_a_reason_why_not(name: str) -> None:
    told = TRACES[name]
    assert told, "a rule was broken without any fault"
    if told not in PLAYS.values():
        assert NOT_PLAYED.keys() & set(told), f"no scenario plays {', '.join(told)}"


def test_every_reason_is_still_needed() -> None:
    unplayed = {told for trace in TRACES.values() if trace not in PLAYS.values() for told in trace}
    assert NOT_PLAYED.keys() <= unplayed
    assert not NOT_PLAYED.keys() & {told for plays in PLAYS.values() for told in plays}


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.__name__)
def test_the_daemons_lose_and_double_nothing_at_these_moments(tmp_path: Path, scenario: Scenario) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    counts = totals(scenario(REPOSITORY, tmp_path))
    if any("volume lost" in told or "backup restored" in told for told in PLAYS[scenario]):
        # Redis forgot what was pushed: the design promises these only after compaction.
        assert counts["doubled"] <= counts["truth"]
        counts["doubled"] = 0
    assert counts["truth"] > 0
    wrong = {name: counts[name] for name in ("lost", "doubled", "altered", "strangers") if counts[name]}
    assert not wrong, wrong
