"""Coverage of hours in the terminal, as HTML, as PNG, as JSON and as an exit code."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from services.tools.tests.making import START_HOUR, cover

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from services.tools.tests.conftest import Ask

DAY = "2026-09-21"


def hours(root: Path, *states: str) -> None:
    """Cover hours from 16:00 on; a partial one has a gap of 40 minutes in likes, of 10 in posts."""
    gap = {"likes": 2400.0, "posts": 600.0}
    rows = [
        {
            "hour": START_HOUR + at,
            "stream": one,
            "state": state,
            "rows": 1000,
            "gap_seconds": gap[one] if state == "partial" else 0.0,
        }
        for one in ("likes", "posts")
        for at, state in enumerate(states)
    ]
    cover(root, *rows)


def test_the_terminal_shows_a_cell_an_hour(root: Path, ask: Ask) -> None:
    hours(root, "closed", "empty", "partial", "open")
    answer = ask("coverage")
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith(DAY)]
    assert line[12:].rstrip() == "  " * 16 + "█ ○ ░ ·"
    posts = ask("coverage", "--stream", "posts").stdout
    assert "█ ○ ▒ ·" in posts
    assert answer.exit_code == 1


def test_the_exit_code_is_that_of_the_named_hours(root: Path, ask: Ask) -> None:
    hours(root, "closed", "partial", "open")

    def code(hour: str) -> int:
        words = ("--stream", "likes", "--stream", "posts", "--hours", f"{DAY}T{hour}")
        exit_code: int = ask("coverage", *words).exit_code
        return exit_code

    assert [code("16"), code("17"), code("18"), code("19")] == [0, 1, 1, 1]
    assert ask("coverage", "--hours", f"{DAY}T16").exit_code == 1, "the other streams were not judged"
    assert ask("coverage", "--stream", "nothing").exit_code == 2


def test_an_open_hour_alone_is_no_fault(root: Path, ask: Ask) -> None:
    hours(root, "closed", "open")
    assert ask("coverage").exit_code == 0


def test_before_the_first_compaction_there_is_nothing_to_show(ask: Ask) -> None:
    answer = ask("coverage")
    assert answer.exit_code == 2
    assert "archive compact" in answer.stderr


def test_a_page_is_self_contained(root: Path, ask: Ask, tmp_path: Path) -> None:
    hours(root, "closed", "empty", "partial", "open")
    page = tmp_path / "coverage.html"
    assert ask("coverage", "--each", "--html", str(page)).exit_code == 1
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=|url\(|@import", text)
    drawings = [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]  # noqa: S314 - our own
    assert len(drawings) == 9
    named = "{http://www.w3.org/2000/svg}"
    titles = [one.text or "" for one in drawings[1].iter(f"{named}title")]
    assert len(titles) == 24
    assert "2026-09-21T18: half of the hour or more may be missing; 1,000 rows, 33% without a gap" in titles


def test_a_png_is_written(root: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours(root, "closed", "partial")
    picture = tmp_path / "coverage.png"
    assert ask("coverage", "--png", str(picture)).exit_code == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib.colors", None)
    answer = ask("coverage", "--png", str(picture))
    assert answer.exit_code == 2
    assert "--html" in answer.stderr


def test_the_rows_as_json(root: Path, ask: Ask) -> None:
    hours(root, "closed", "partial")
    reported = json.loads(ask("coverage", "--json", "--hours", f"{DAY}T17").stdout)
    assert {(one["hour"], one["stream"], one["gap_seconds"]) for one in reported} == {
        ("2026-09-21T17", "likes", 2400.0),
        ("2026-09-21T17", "posts", 600.0),
    }
