"""Every gap is listed, and overlapping time counts once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.shared.event import GapReason
from services.tools.tests.making import note_gaps

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask


def test_gaps_are_listed_with_their_reasons(root: Path, ask: Ask) -> None:
    assert ask("gaps").exit_code == 0
    note_gaps(root, (0, 60), (30, 90))
    note_gaps(root, (200, 201), reason=GapReason.HOST_CHANGED)
    note_gaps(root, (-10, 0), reason=GapReason.ARCHIVE_START)
    answer = ask("gaps", "--json")
    assert answer.exit_code == 1
    reported = json.loads(answer.stdout)
    assert reported["seconds"] == 91
    assert reported["by_reason"]["cursor_too_old"] == {"gaps": 2, "seconds": 90}
    assert [one["reason"] for one in reported["gaps"]] == ["cursor_too_old", "cursor_too_old", "host_changed"]
    assert "host_changed" in ask("gaps").stdout


def test_an_interval_can_be_selected(root: Path, ask: Ask) -> None:
    note_gaps(root, (0, 60), (3600, 3700))
    reported = json.loads(ask("gaps", "--json", "--from", "2026-09-21T17", "--to", "2026-09-21T18").stdout)
    assert reported["seconds"] == 100
    refused = ask("gaps", "--from", "yesterday")
    assert refused.exit_code == 2
    assert "2026-07-04T14" in refused.stderr
