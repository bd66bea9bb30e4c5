"""Chosen seeds of `make chaos`: nothing is lost, doubled or altered under faults."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from services.shared.crash_points import CrashPoint
from testing.harness.daemons import Daemon
from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.chaos import armed
from testing.proof.chaos.kinds import DATA_LOSS, Kind
from testing.proof.chaos.plan import plan
from testing.proof.chaos.run import RECOVERY_SECONDS, outcomes, run

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (26, 64, 72, 73, 75, 77, 78, 81, 82, 85, 95, 96, 201, 205, 223, 225, 227, 233)
"""Chosen to cover most kinds and crash points without those that take half a minute (CUTOVER, BLIND)."""
MOST_SECONDS = 2 * RECOVERY_SECONDS


def test_the_chosen_seeds_cover_nearly_everything() -> None:
    plans = [plan(seed) for seed in SEEDS]
    kinds = {kind for one in plans for kind in one.kinds}
    assert kinds >= DATA_LOSS | {Kind.LOOK_BACK, Kind.NAMESPACE, Kind.FAIL_OVER, Kind.STOP_REDIS}
    assert len(kinds) >= len(Kind) * 0.85
    assert len({fault.point for one in plans for fault in one.faults if fault.point}) >= 18


@pytest.mark.timeout(MOST_SECONDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_altered(seed: int, tmp_path: Path) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    planned = plan(seed)
    outcome = run(planned, tmp_path)
    assert outcome.failures == [], [str(fault) for fault in planned.faults]
    assert outcome.injected == Counter(fault.kind for fault in planned.faults), "each fault had its effect"
    assert outcome.crashed, "a daemon died at its crash point"
    assert outcome.recovery is not None
    assert outcome.recovery < RECOVERY_SECONDS
    assert outcome.verdict is not None
    assert outcome.verdict.events > planned.rate
    if not planned.loses_data:
        assert outcome.verdict.doubled == 0


def test_a_writer_dies_of_kill_9_at_the_point_it_was_armed_with(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    settings = {"ARCHIVE_ROOT": str(root), "REDIS_URL": "redis://writer:none@127.0.0.1:1/0"}
    daemon = Daemon("services.data_writer.main", settings, tmp_path / "writer.log")
    daemon.starter = ("testing.proof.chaos.armed", CrashPoint.RECOVER_SWEPT, "1")
    daemon.start("--once")
    assert daemon.wait(60) == -signal.SIGKILL
    assert (root / ".state" / "locks").is_dir(), "it had begun to work"


def test_only_the_nth_time_at_the_chosen_point_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda _pid, number: killed.append(number))
    killer = armed.Killer(CrashPoint.CLAIM_READ, 2)
    killer(CrashPoint.CLAIM_FOUND)
    killer(CrashPoint.CLAIM_READ)
    assert killed == []
    killer(CrashPoint.CLAIM_READ)
    assert killed == [signal.SIGKILL]
    killer(CrashPoint.CLAIM_READ)
    assert killed == [signal.SIGKILL]


def test_without_seeds_there_are_no_outcomes(tmp_path: Path) -> None:
    assert list(outcomes([], 1, tmp_path, 1.0)) == []


def test_a_process_that_dies_raises(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(RuntimeError, match="has died"):
        list(outcomes([1], 1, in_the_way, 1.0))
