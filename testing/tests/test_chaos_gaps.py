"""The check of the gap rows fails when a row is missing, and when there is one too many."""

from __future__ import annotations

from dataclasses import replace

from services.shared.event import GapReason
from testing.proof.chaos.gaps import Row, complaints, uncovered
from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.plan import Fault, plan

START = Row(0, 1000, GapReason.ARCHIVE_START)
QUIET = replace(plan(1), kind="v2", faults=())


def with_fault(kind: Kind) -> Fault:
    return Fault(kind, 0.0, 0.0)


def test_a_run_without_holes_has_the_row_of_its_start_and_no_other() -> None:
    hole = Row(2000, 3000, GapReason.CURSOR_TOO_OLD)
    assert complaints(QUIET, [START], []) == []
    assert complaints(QUIET, [], []) == ["0 rows for the archive start"]
    assert complaints(QUIET, [START, START], []) == ["2 rows for the archive start"]
    assert len(complaints(QUIET, [START, hole], [])) == 1
    assert len(complaints(QUIET, [START, Row(1, 2, GapReason.COLLECTION_SILENT)], [])) == 1


def test_a_start_that_redis_forgot_may_be_noted_again() -> None:
    lost = replace(QUIET, faults=(with_fault(Kind.VOLUME_LOST),))
    assert complaints(lost, [START, START], []) == []
    assert len(complaints(lost, [START, START, START], [])) == 1


def test_another_server_behind_a_name_leaves_exactly_one_row_on_a_v2_host() -> None:
    changed = replace(QUIET, faults=(with_fault(Kind.NAMESPACE),))
    row = Row(2000, 3000, GapReason.HOST_CHANGED)
    assert complaints(changed, [START, row], []) == []
    assert len(complaints(changed, [START], [])) == 1
    assert len(complaints(changed, [START, row, row], [])) == 1
    assert complaints(replace(changed, kind="v1"), [START], []) == []


def test_what_a_host_has_forgotten_is_covered_by_a_row_and_each_row_covers_something() -> None:
    forgotten = replace(QUIET, faults=(with_fault(Kind.LOOK_BACK),))
    row = Row(2000, 3000, GapReason.CURSOR_TOO_OLD)
    assert complaints(forgotten, [START, row], [2500]) == []
    assert complaints(forgotten, [START], [2500]) == ["no row for the look-back that was exceeded"]
    assert len(complaints(forgotten, [START, row, Row(5000, 6000, row.reason)], [2500])) == 1
    assert uncovered(forgotten, [START, row], [2000, 2500, 3000, 3001]) == 1
    assert uncovered(QUIET, [START, row], [2500]) == 1, "only the look-back excuses anything"
