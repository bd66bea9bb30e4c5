"""Holes: none is silent, and time that two of them cover counts once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.shared.event import GapReason
from services.tools.holes import Hole, seconds, touching
from services.tools.tests.making import note_gaps

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask


def hole(begin: int, end: int, reason: GapReason = GapReason.CUTOVER) -> Hole:
    return Hole(begin * 1_000_000, end * 1_000_000, reason, "h", None, 0)


def test_each_moment_counts_once() -> None:
    assert seconds([hole(0, 10), hole(5, 12), hole(20, 21), hole(6, 7)]) == 13
    assert seconds([hole(0, 10)], 5_000_000, 8_000_000) == 3
    assert seconds([hole(0, 10, GapReason.BIRTH)]) == 0
    assert touching([hole(0, 10, GapReason.BIRTH), hole(3, 3)], 0, 5_000_000) == [hole(3, 3)]


def test_holes_are_listed_with_their_reasons(root: Path, ask: Ask) -> None:
    assert ask("gaps").exit_code == 0
    note_gaps(root, (0, 60), (30, 90))
    note_gaps(root, (200, 201), reason=GapReason.HOST_CHANGED)
    note_gaps(root, (-10, 0), reason=GapReason.BIRTH)
    answer = ask("gaps", "--json")
    assert answer.exit_code == 1
    told = json.loads(answer.stdout)
    assert told["seconds"] == 91
    assert told["by_reason"]["cursor_too_old"] == {"gaps": 2, "seconds": 90}
    assert [one["reason"] for one in told["gaps"]] == ["cursor_too_old", "cursor_too_old", "host_changed"]
    assert "host_changed" in ask("gaps").stdout


def test_an_interval_can_be_chosen(root: Path, ask: Ask) -> None:
    note_gaps(root, (0, 60), (3600, 3700))
    told = json.loads(ask("gaps", "--json", "--from", "2026-09-21T17", "--to", "2026-09-21T18").stdout)
    assert told["seconds"] == 100
    refused = ask("gaps", "--from", "yesterday")
    assert refused.exit_code == 2
    assert "2026-07-04T14" in refused.stderr
