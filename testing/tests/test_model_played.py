"""The model's shortest traces, played by the real daemons: faults that break a weaker protocol do no harm.

PLAYS names the faults of each scenario and when they happen. A trace is matched with the scenario that has
the same faults, so that neither can change without the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.chaos.report import totals
from testing.proof.model.invariants import Violation
from testing.proof.model.labels import describe_faults
from testing.proof.model.table import ROWS
from testing.proof.mutants import data_loss, scenarios

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.mutants.scenarios import Scenario

PLAYS: dict[Scenario, tuple[str, ...]] = {
    scenarios.push_applied_ingester_killed: ("ingester killed after buffer",),
    scenarios.push_not_applied_ingester_killed: ("ingester killed after receive",),
    scenarios.reply_to_push_lost: ("reply to push lost",),
    scenarios.reply_to_ack_lost: ("reply to ack lost",),
    scenarios.ack_applied_writer_killed: ("writer killed after ack",),
    scenarios.ack_not_applied_writer_killed: ("writer killed after commit",),
    scenarios.ack_not_applied_chunk_size_changed: ("writer killed, chunk size changed after commit",),
    scenarios.ack_not_applied_hour_prepared: ("writer killed after commit", "compaction"),
    scenarios.old_ack_arrives_late: ("ack delayed",),
    scenarios.old_push_arrives_late: ("push delayed",),
    scenarios.cursor_touched: ("cursor touched",),
    data_loss.redis_lost_its_last_pushes: ("backup made after recover", "backup restored after recover"),
    data_loss.volume_lost_after_a_round: ("volume lost after checkpoint",),
    data_loss.volume_lost_while_a_stream_lags: ("volume lost after checkpoint",),
    data_loss.volume_lost_twice_while_a_stream_lags: (
        "volume lost after checkpoint",
        "volume lost after checkpoint",
    ),
    data_loss.volume_lost_in_a_round: ("volume lost in a round",),
    data_loss.backup_restored_in_a_round: ("backup made after recover", "backup restored in a round"),
    data_loss.backup_restored_after_volume_lost: (
        "backup made after recover",
        "volume lost after recover",
        "backup restored after checkpoint",
        "volume lost after recover",
    ),
    data_loss.volume_lost_before_the_first_round: ("volume lost after start",),
}
"""The faults of each scenario and when they happen, in the words of `describe_faults`."""
NOT_PLAYED = {
    "host changed": "services/jetstream/tests/test_follow.py and test_lying_hosts.py lead from host to host",
    "power cut in a round": "needs a filesystem that drops unsynced writes: testing/tests/test_power.py",
    "claim delayed": "the proxy delays an EXEC, and RENAMENX is sent without one",
}
"""Faults that no scenario plays, and why."""
NEEDED = [row for row in ROWS if row.violation is not Violation.NONE]
TRACES = {row.name: describe_faults(row.found.trace) for row in NEEDED}
PLAYED = [scenario for scenario, plays in PLAYS.items() if plays in TRACES.values()]


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_has_a_scenario_or_a_reason_why_not(name: str) -> None:
    faults = TRACES[name]
    assert faults, "events were lost or doubled without any fault"
    if faults not in PLAYS.values():
        assert NOT_PLAYED.keys() & set(faults), f"no scenario plays {', '.join(faults)}"


def test_every_reason_is_still_needed() -> None:
    unplayed = {fault for trace in TRACES.values() if trace not in PLAYS.values() for fault in trace}
    assert NOT_PLAYED.keys() <= unplayed
    assert not NOT_PLAYED.keys() & {fault for plays in PLAYS.values() for fault in plays}


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.__name__)
def test_the_daemons_lose_and_double_nothing_under_these_faults(tmp_path: Path, scenario: Scenario) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    counts = totals(scenario(REPOSITORY, tmp_path))
    if any("volume lost" in fault or "backup restored" in fault for fault in PLAYS[scenario]):
        # Redis lost pushed events: until compaction they may be doubled.
        assert counts["doubled"] <= counts["truth"]
        counts["doubled"] = 0
    assert counts["truth"] > 0
    wrong = {name: counts[name] for name in ("lost", "doubled", "altered", "unknown") if counts[name]}
    assert not wrong, wrong
