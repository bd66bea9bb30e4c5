"""With a policy, rows that were deleted on the network are removed, and only they; without one, none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.archive.notes import read_rewrites
from services.archive.paths import HOUR_US, hour_of_text
from services.compactor import postponed as postponed_module
from services.compactor.deletions.state import read_state
from services.compactor.settings import CompactorSettings, Policy
from services.compactor.tests.archives import BORDER_US, compact, hour_compactor, put, settings_of
from services.compactor.tests.deleting import ANN, BOB, Archive, account, at, commit
from services.jetstream.health import IngesterHealth
from services.shared.probes import serving
from services.shared.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


EVENTS = [
    commit(ANN, "kept", at(0.1)),
    commit(ANN, "gone", at(0.2)),
    commit(ANN, "gone", at(0.3), "update"),
    commit(ANN, "gone", at(0.4), "delete"),
    commit(BOB, "gone", at(0.2)),
]


def test_the_policy_off_removes_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Policy.OFF)
    put(tmp_path, [*EVENTS, account(BOB, at(0.5), "deleted")])
    assert archive.day() == {}
    assert len(archive.rows()) == len(EVENTS)
    assert not (tmp_path / ".state/deletions").exists()
    assert CompactorSettings().compact_apply_deletions is Policy.OFF


def test_a_deleted_record_leaves_only_its_deletion(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Policy.RECORDS)
    put(tmp_path, [*EVENTS, account(BOB, at(0.5), "deleted")])
    assert archive.day() == {"records": 2}
    assert archive.rows() == [(ANN, "gone", "delete"), (ANN, "kept", "create"), (BOB, "gone", "create")]
    assert archive.accounted() == len(EVENTS) + 1
    assert archive.reported() == {"likes records": 2}
    assert archive.day() == {}
    assert archive.reported() == {"likes records": 2}


def test_a_deletion_thirty_hours_later_reaches_the_old_hour(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    put(tmp_path, [commit(ANN, "gone", at(0.2)), commit(ANN, "kept", at(0.2))])
    assert archive.day() == {}
    before = sorted(path.name for path in tmp_path.glob("raw/likes/**/*.parquet"))
    put(tmp_path, [commit(ANN, "gone", at(30.2), "delete"), commit(ANN, "new", at(30.1))])
    assert archive.day() == {"records": 1}
    assert archive.rows() == [(ANN, "gone", "delete"), (ANN, "kept", "create"), (ANN, "new", "create")]
    (path,) = tmp_path.glob(".state/rewritten/likes/*.json")
    (note,) = read_rewrites(path)
    assert (hour_of_text(path.stem), note.files, note.rows) == (BORDER_US // HOUR_US, tuple(before), 1)


def test_a_record_that_was_created_again_is_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    again = [commit(ANN, "gone", at(1.5)), commit(ANN, "gone", at(1.6), "update")]
    put(tmp_path, EVENTS + again)
    assert archive.day() == {"records": 2}
    assert [row for row in archive.rows() if row[:2] == (ANN, "gone")] == [
        (ANN, "gone", "create"), (ANN, "gone", "delete"), (ANN, "gone", "update"),
    ]  # fmt: skip
    put(tmp_path, [commit(ANN, "gone", at(40), "delete")])
    assert archive.day() == {"records": 2}


def test_deletions_apply_in_the_order_of_rev_whatever_times_a_host_assigned(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    stream, frame = commit(ANN, "gone", at(0.2))
    late = json.loads(frame) | {"time_us": at(5)}
    put(tmp_path, [(stream, json.dumps(late).encode()), commit(ANN, "gone", at(0.4), "delete")])
    assert archive.day() == {"records": 1}


def test_a_deleted_account_loses_all_rows_and_later_rows_stay(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Policy.ACCOUNTS)
    identity = {"did": BOB, "handle": "bob.test", "seq": 5, "time": "2026-09-21T14:00:00.000Z"}
    named = {"did": BOB, "time_us": at(0.1), "kind": "identity", "identity": identity}
    put(tmp_path, [*EVENTS, ("identities", json.dumps(named).encode()), account(BOB, at(0.1))])
    assert archive.day() == {}
    put(
        tmp_path,
        [account(BOB, at(26), "deleted", 2), commit(BOB, "new", at(27)), account(BOB, at(27), "", 3)],
    )
    assert archive.day() == {"accounts": 3}
    assert [row for row in archive.rows() if row[0] == BOB] == [(BOB, "new", "create")]
    assert len(archive.rows()) == 5
    assert archive.rows("identities", "did") == []
    assert archive.rows("accounts", "time_us, status") == [(at(26), "deleted"), (at(27), None)]
    assert archive.accounted() == len(EVENTS) + 5
    assert archive.reported() == {"likes accounts": 1, "identities accounts": 1, "accounts accounts": 1}


@pytest.mark.parametrize("status", ["takendown", "suspended", "deactivated"])
def test_an_account_status_that_can_be_reversed_removes_nothing(tmp_path: Path, status: str) -> None:
    archive = Archive(tmp_path)
    put(tmp_path, [commit(BOB, "kept", at(0.1)), account(BOB, at(0.5), status)])
    assert archive.day() == {}
    assert len(archive.rows()) == 1


def test_old_deletions_apply_to_rows_that_arrive_late_in_an_old_hour(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    put(tmp_path, [commit(ANN, "gone", at(20), "delete"), account(BOB, at(30), "deleted")])
    assert archive.day() == {}
    put(tmp_path, [commit(ANN, "gone", at(2)), commit(BOB, "any", at(2)), commit(ANN, "kept", at(2))])
    assert archive.day() == {"records": 1, "accounts": 1}
    assert archive.rows() == [(ANN, "gone", "delete"), (ANN, "kept", "create")]


def test_a_pass_is_made_once_a_day_and_at_once_after_a_change_of_policy(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Policy.RECORDS)
    put(tmp_path, [commit(ANN, "gone", at(0.2)), commit(BOB, "any", at(0.2))])
    archive.day()
    put(tmp_path, [commit(ANN, "gone", at(2), "delete"), account(BOB, at(2), "deleted")])
    compact(tmp_path, archive.hours)
    archive.now_us += 23 * HOUR_US
    assert archive.run().hours == 0
    archive.now_us += HOUR_US
    assert +archive.run().rows == {"records": 1}
    archive.swap()
    assert archive.run().hours == 0
    archive.settings = settings_of(tmp_path, compact_apply_deletions=Policy.ALL)
    archive.restart()
    assert +archive.run().rows == {"accounts": 1}


def test_a_late_part_discards_a_swap_and_the_next_pass_repeats_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    put(tmp_path, EVENTS)
    compact(tmp_path, archive.hours)
    archive.now_us += 24 * HOUR_US
    assert +archive.run().rows == {"records": 2}
    put(tmp_path, [commit(ANN, "late", at(0.9))])
    archive.swap()
    assert archive.reported() == {}
    assert archive.run().hours == 0
    assert read_state(tmp_path).at_us == archive.now_us
    assert archive.day() == {"records": 2}
    assert archive.reported() == {"likes records": 2}
    assert archive.accounted() == len(EVENTS) + 1


def test_a_pass_whose_collected_deletions_were_swept_begins_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    put(tmp_path, EVENTS)
    compact(tmp_path, archive.hours)
    archive.now_us += 24 * HOUR_US
    assert archive.run().hours == 1
    for path in (tmp_path / ".state/staging" / "compactor" / "deleted").glob("*/*"):
        path.unlink()
    for path in (tmp_path / ".state/staging" / "compactor" / "deleted").glob("*"):
        path.rmdir()
    archive.swap()
    assert archive.run().hours == 0
    assert read_state(tmp_path).at_us == archive.now_us
    assert not (tmp_path / ".state/staging" / "compactor" / "deleted").exists() or not list(
        (tmp_path / ".state/staging" / "compactor" / "deleted").glob("*/*")
    ), "no list of deleted records is left"


def test_nothing_is_searched_while_the_ingester_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postponed_module, "POLL_SECONDS", 0.0)
    archive = Archive(tmp_path)
    put(tmp_path, EVENTS)
    compact(tmp_path, archive.hours)
    archive.now_us += 24 * HOUR_US
    health = IngesterHealth(15.0, state="running", paused="Redis is 80 % full")
    with serving(0, CollectorRegistry(), health) as port:
        archive.hours = hour_compactor(tmp_path, compact_jetstream_url=f"http://127.0.0.1:{port}/healthz")
        archive.restart()
        report = archive.run()
        assert (report.hours, report.error) == (0, "")
        assert "80 %" in report.postponed
        assert not (tmp_path / ".state/staging" / "compactor" / "deleted").exists()
        health.paused = None
        assert +archive.run().rows == {"records": 2}


def test_the_policy_is_refused_where_nothing_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPACT_APPLY_DELETIONS", "all")
    monkeypatch.setenv("COMPACT_MEMORY_MB", "0")
    with pytest.raises(SettingsError, match="COMPACT_MEMORY_MB"):
        load(CompactorSettings, "COMPACT_")
