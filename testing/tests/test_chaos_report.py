"""The report says what fired, what is lost or doubled and why, and how to repeat what failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from services.shared.crash_points import CrashPoint
from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.report import line, markdown
from testing.proof.chaos.run import Outcome
from testing.proof.chaos.verdict import Verdict

WHOLE = Verdict(
    events=1000,
    lost=0,
    on_record=0,
    doubled=0,
    allowed=0,
    cause=None,
    altered=0,
    strangers=0,
    gaps=(),
    audit="",
)
PASSED = Outcome(
    seed=4,
    fired=Counter({Kind.CRASH_POINT: 1, Kind.KILL_WRITER: 1}),
    crashed=Counter({CrashPoint.CLAIM_READ: 1}),
    verdict=WHOLE,
    recovery=2.5,
    seconds=9.0,
    compacted=WHOLE,
)


def test_a_run_in_which_nothing_is_wrong_passes() -> None:
    assert PASSED.wrong == []
    assert "seed 4 passed" in line(PASSED)


def test_each_thing_that_is_wrong_fails_the_run() -> None:
    for wrong in (
        replace(WHOLE, lost=1),
        replace(WHOLE, doubled=1),
        replace(WHOLE, doubled=3, allowed=2, cause=Kind.VOLUME_LOST),
        replace(WHOLE, altered=1),
        replace(WHOLE, strangers=1),
        replace(WHOLE, gaps=("one too many",)),
        None,
    ):
        assert replace(PASSED, verdict=wrong).wrong, wrong
    assert replace(PASSED, trouble=["left in Redis: archive:claim:posts:100"]).wrong


def test_what_a_lost_volume_doubles_is_allowed_up_to_its_bound_and_counted_by_cause() -> None:
    lossy = replace(PASSED, seed=5, verdict=replace(WHOLE, doubled=7, allowed=9, cause=Kind.VOLUME_LOST))
    assert lossy.wrong == []
    report = markdown([PASSED, lossy], 20.0, 2)
    assert f"| {Kind.VOLUME_LOST} | 7 | 9 |" in report
    assert "| doubled where nothing may be | 0 |" in report


def test_after_compaction_nothing_may_be_doubled_whatever_happened() -> None:
    again = replace(WHOLE, doubled=1, allowed=9, cause=Kind.VOLUME_LOST)
    assert replace(PASSED, compacted=again).wrong == ["after compaction: 1 doubled"]
    assert replace(PASSED, compacted=replace(WHOLE, lost=2)).wrong == ["after compaction: 2 lost"]
    assert replace(PASSED, compacted=None).wrong == ["not compacted"]


def test_a_report_counts_what_fired_and_what_was_hit_and_says_how_to_repeat_a_failure() -> None:
    failed = replace(PASSED, seed=6, recovery=None, trouble=["the writer is stuck"])
    report = markdown([PASSED, failed], 20.0, 1)
    assert "2 runs, seeds 4 to 6, 1 failed" in report
    assert f"| {Kind.KILL_WRITER} | 2 |" in report
    assert f"| {Kind.KILL_REDIS} | 0 |" in report
    assert f"| {CrashPoint.CLAIM_READ} | 2 |" in report
    assert "| recovery, max | 2.5 s |" in report
    assert "SEED=6 RUNS=1 make chaos" in report
    assert "- the writer is stuck" in report
