"""The report is summed by pass, stream and policy; rewritten files of a snapshot are not damaged ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.archive.manifest import Cause, Input, Output, SwapManifest
from services.archive.notes import note_rewrite
from services.archive.paths import hour_of, hour_text
from services.compactor.deletions.state import DeletionState, write_state
from services.shared.event import Stream
from services.tools.tests.making import START_HOUR, close_hours

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask

NOW_US = 1_790_100_000_000_000
DAY = "2026-09-22T18:00:00Z"


def note(
    root: Path,
    hour: int,
    dropped: dict[str, int],
    *,
    names: tuple[str, ...] = (),
    cause: Cause = Cause.DELETIONS,
) -> None:
    """Record a rewrite as a swap does, twice, as a swap that was killed does."""
    manifest = SwapManifest(
        id=f"{hour}-{cause}",
        stream=Stream.LIKES,
        hour=hour,
        cause=cause,
        inputs=tuple(Input(name, 1, {}) for name in names),
        outputs=(Output("new", 1, 1),),
        removed={"1": {"likes": sum(dropped.values())}},
        report={"duplicates": 0, "dropped": dropped, "pass": DAY},
    )
    note_rewrite(root, manifest, NOW_US)
    note_rewrite(root, manifest, NOW_US + 1)


def test_each_pass_stream_and_policy_has_a_line(root: Path, ask: Ask) -> None:
    note(root, START_HOUR, {"records": 3, "accounts": 0})
    note(root, START_HOUR + 1, {"records": 2, "accounts": 5})
    note(root, START_HOUR + 1, {"forget": 7}, cause=Cause.FORGET)
    write_state(root, DeletionState("all", NOW_US, {"likes": {START_HOUR: "chunks"}}))
    reported = json.loads(ask("deletions", "--json").stdout)
    assert (reported["policy"], reported["last_pass"], reported["not_reached"]) == (
        "all",
        "2026-09-22 18:00:00Z",
        [],
    )
    assert [(one["hour"], one["rows"]) for one in reported["removed"]] == [
        (hour_text(START_HOUR), {"records": 3}),
        (hour_text(START_HOUR + 1), {"records": 2, "accounts": 5}),
    ]
    lines = [line.split() for line in ask("deletions").stdout.splitlines() if line.strip().startswith(DAY)]
    assert lines == [[DAY, "likes", "accounts", "1", "5"], [DAY, "likes", "records", "2", "5"]]


def test_snapshot_verify_separates_rewritten_from_damaged_files(root: Path, ask: Ask) -> None:
    close_hours(root)
    assert ask("snapshot", "paper").exit_code == 0
    first, second = sorted(root.glob("raw/likes/**/*.parquet"))[:2]
    hour = hour_of(first.parent)
    assert hour is not None
    first.unlink()
    note(root, hour, {"records": 3}, names=(first.name,))
    answer = ask("snapshot", "verify", "paper", "--json")
    reported = json.loads(answer.stdout)
    assert (answer.exit_code, reported["wrong"]) == (1, {})
    assert reported["rewritten"] == {
        first.relative_to(
            root
        ).as_posix(): "deletions: 3 rows were removed from its hour at 2026-09-22 18:00:00Z"
    }
    second.write_bytes(second.read_bytes()[:-1])
    reported = json.loads(ask("snapshot", "verify", "paper", "--json").stdout)
    assert reported["wrong"] == {second.relative_to(root).as_posix(): "altered"}
    assert "rewritten on purpose since" in ask("snapshot", "verify", "paper").stdout
