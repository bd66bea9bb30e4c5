"""The verdict on a chaos run finds wrong gap rows and what is left behind; the report counts runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from redis import Redis

from services.shared.crash_points import CrashPoint
from services.shared.event import GapReason
from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.plan import Fault, plan
from testing.proof.chaos.report import line, markdown
from testing.proof.chaos.run import Outcome
from testing.proof.chaos.verdict import (
    GapRow,
    Verdict,
    gap_errors,
    remaining_keys,
    uncovered,
    unknown_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.redis import RedisServer

START = GapRow(0, 1000, GapReason.ARCHIVE_START)
QUIET = replace(plan(1), kind="v2", faults=())


def with_fault(kind: Kind) -> Fault:
    return Fault(kind, 0.0, 0.0)


def test_a_run_without_gaps_has_only_the_row_of_its_start() -> None:
    gap = GapRow(2000, 3000, GapReason.CURSOR_TOO_OLD)
    assert gap_errors(QUIET, [START], []) == []
    assert gap_errors(QUIET, [], []) == ["0 rows for the archive start"]
    assert gap_errors(QUIET, [START, START], []) == ["2 rows for the archive start"]
    assert len(gap_errors(QUIET, [START, gap], [])) == 1
    assert len(gap_errors(QUIET, [START, GapRow(1, 2, GapReason.COLLECTION_SILENT)], [])) == 1


def test_a_start_may_be_recorded_again_after_a_loss_of_data() -> None:
    lost = replace(QUIET, faults=(with_fault(Kind.VOLUME_LOST),))
    assert gap_errors(lost, [START, START], []) == []
    assert len(gap_errors(lost, [START, START, START], [])) == 1


def test_another_server_under_a_name_leaves_exactly_one_row_on_a_v2_host() -> None:
    changed = replace(QUIET, faults=(with_fault(Kind.NAMESPACE),))
    row = GapRow(2000, 3000, GapReason.HOST_CHANGED)
    assert gap_errors(changed, [START, row], []) == []
    assert len(gap_errors(changed, [START], [])) == 1
    assert len(gap_errors(changed, [START, row, row], [])) == 1
    assert gap_errors(replace(changed, kind="v1"), [START], []) == []


def test_events_older_than_the_look_back_are_covered_by_a_row_and_each_row_covers_some() -> None:
    forgotten = replace(QUIET, faults=(with_fault(Kind.LOOK_BACK),))
    row = GapRow(2000, 3000, GapReason.CURSOR_TOO_OLD)
    assert gap_errors(forgotten, [START, row], [2500]) == []
    assert gap_errors(forgotten, [START], [2500]) == ["no row for the exceeded look-back"]
    assert len(gap_errors(forgotten, [START, row, GapRow(5000, 6000, row.reason)], [2500])) == 1
    assert uncovered(forgotten, [START, row], [2000, 2500, 3000, 3001]) == 1
    assert uncovered(QUIET, [START, row], [2500]) == 1, "only an exceeded look-back allows missing events"


KNOWN = (
    ".state/id",
    ".state/epoch",
    ".state/locks/posts",
    ".state/checkpoints/posts.json",
    "raw/posts/year=2026/month=01/day=01/hour=00/1-2-3-abc.parquet",
)
UNKNOWN = (
    ".state/epoch.77.tmp",
    ".state/checkpoints/posts.77.tmp",
    ".state/staging/posts/posts-1-abc.tmp",
    "raw/posts/year=2026/month=01/day=01/hour=00/1-2-3-abc.parquet.tmp",
    "raw/posts/misplaced.parquet",
)


def make(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_of_an_archive_are_known(tmp_path: Path) -> None:
    make(tmp_path, KNOWN)
    (tmp_path / ".state" / "staging" / "posts").mkdir(parents=True)
    assert unknown_files(tmp_path) == []


def test_staged_and_misplaced_files_are_unknown(tmp_path: Path) -> None:
    make(tmp_path, KNOWN + UNKNOWN)
    assert unknown_files(tmp_path) == sorted(UNKNOWN)


def test_claims_and_buffers_that_hold_elements_are_found(redis_server: RedisServer) -> None:
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as tools:
        tools.set("archive:cursor", "{}")
        assert remaining_keys(tools) == []
        tools.rpush("archive:claim:posts:100", "event")
        tools.rpush("archive:buffer:likes", "event")
        assert remaining_keys(tools) == ["archive:buffer:likes", "archive:claim:posts:100"]


WHOLE = Verdict(
    events=1000,
    lost=0,
    covered_by_gap=0,
    doubled=0,
    allowed=0,
    cause=None,
    altered=0,
    unknown=0,
    gaps=(),
    audit="",
)
PASSED = Outcome(
    seed=4,
    injected=Counter({Kind.CRASH_POINT: 1, Kind.KILL_WRITER: 1}),
    crashed=Counter({CrashPoint.CLAIM_READ: 1}),
    verdict=WHOLE,
    recovery=2.5,
    seconds=9.0,
    compacted=WHOLE,
)


def test_a_run_without_errors_passes() -> None:
    assert PASSED.failures == []
    assert "seed 4 passed" in line(PASSED)


def test_each_error_fails_the_run() -> None:
    for verdict in (
        replace(WHOLE, lost=1),
        replace(WHOLE, doubled=1),
        replace(WHOLE, doubled=3, allowed=2, cause=Kind.VOLUME_LOST),
        replace(WHOLE, altered=1),
        replace(WHOLE, unknown=1),
        replace(WHOLE, gaps=("one too many",)),
        None,
    ):
        assert replace(PASSED, verdict=verdict).failures, verdict
    assert replace(PASSED, problems=["left in Redis: archive:claim:posts:100"]).failures


def test_events_doubled_by_a_lost_volume_are_allowed_up_to_a_bound_and_counted_by_cause() -> None:
    lossy = replace(PASSED, seed=5, verdict=replace(WHOLE, doubled=7, allowed=9, cause=Kind.VOLUME_LOST))
    assert lossy.failures == []
    report = markdown([PASSED, lossy], 20.0, 2)
    assert f"| {Kind.VOLUME_LOST} | 7 | 9 |" in report
    assert "| doubled where nothing may be | 0 |" in report


def test_after_compaction_nothing_may_be_doubled() -> None:
    again = replace(WHOLE, doubled=1, allowed=9, cause=Kind.VOLUME_LOST)
    assert replace(PASSED, compacted=again).failures == ["after compaction: 1 doubled"]
    assert replace(PASSED, compacted=replace(WHOLE, lost=2)).failures == ["after compaction: 2 lost"]
    assert replace(PASSED, compacted=None).failures == ["not compacted"]


def test_a_report_counts_faults_and_crash_points_and_says_how_to_repeat_a_failure() -> None:
    failed = replace(PASSED, seed=6, recovery=None, problems=["the writer is stuck"])
    report = markdown([PASSED, failed], 20.0, 1)
    assert "2 runs, seeds 4 to 6, 1 failed" in report
    assert f"| {Kind.KILL_WRITER} | 2 |" in report
    assert f"| {Kind.KILL_REDIS} | 0 |" in report
    assert f"| {CrashPoint.CLAIM_READ} | 2 |" in report
    assert "| recovery, max | 2.5 s |" in report
    assert "SEED=6 RUNS=1 make chaos" in report
    assert "- the writer is stuck" in report
