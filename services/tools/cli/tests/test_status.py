"""`status` shows streams, lag, known faults and next steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.archive.checkpoints import write_checkpoint
from services.archive.paths import HOUR_US
from services.shared.cursor import Cursor
from services.shared.event import Stream
from services.shared.settings import load
from services.tools.cli.status import as_object, gather, next_steps
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR, START_US, cover, note_gaps

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from services.tools.tests.conftest import Ask

NOW_US = START_US + 2 * HOUR_US + 60_000_000


def test_status_needs_only_the_files(ask: Ask, truth: dict[Stream, list[bytes]]) -> None:
    reported = json.loads(ask("status", "--json").stdout)
    assert {stream: reported["streams"][stream]["rows"] for stream in truth} == {
        stream: len(elements) for stream, elements in truth.items()
    }
    assert reported["streams"]["gaps"] == {
        "rows": 0,
        "parts": 0,
        "bytes": 0,
        "newest_us": None,
        "lag_seconds": None,
        "unreadable": 0,
    }
    assert reported["unaccounted"] is None
    screen = ask("status")
    assert screen.exit_code == 0
    assert f"{sum(map(len, truth.values())):,}" in screen.stdout
    assert "0123456789abcdef" in screen.stdout


def test_the_newest_time_is_that_of_the_newest_event(
    root: Path, ask: Ask, truth: dict[Stream, list[bytes]]
) -> None:
    newest = max(json.loads(frame)["time_us"] for frame in truth[Stream.LIKES])
    found = gather(load(ToolsSettings, "TOOLS_"), NOW_US)
    assert found.root == root
    assert found.figures.streams[Stream.LIKES].newest_us == newest
    assert as_object(found)["streams"]["likes"]["lag_seconds"] == (NOW_US - newest) / 1e6
    assert ask("status").exit_code == 0


def test_days_until_the_disk_is_full_follow_from_the_last_whole_hours(ask: Ask) -> None:
    assert ask("status").exit_code == 0
    found = gather(load(ToolsSettings, "TOOLS_"), NOW_US)
    stored = sum(figures.bytes for figures in found.figures.streams.values())
    assert found.bytes_a_day == stored / 2 * 24
    assert found.days_left == (found.disk_free - found.reserve) / (stored * 12)


def test_gaps_of_the_last_day_are_summed(root: Path, ask: Ask) -> None:
    note_gaps(root, (0, 60), (30, 90), (-3 * 86_400, -3 * 86_400 + 5))
    assert ask("status").exit_code == 0
    found = gather(load(ToolsSettings, "TOOLS_"), NOW_US)
    assert len(found.gaps) == 2
    assert any("archive gaps" in step for step in next_steps(found))


def test_hours_count_as_the_worst_of_their_streams(root: Path, ask: Ask) -> None:
    cover(
        root,
        {"hour": START_HOUR, "stream": "likes", "state": "closed"},
        {"hour": START_HOUR, "stream": "gaps", "state": "empty"},
        {"hour": START_HOUR + 1, "stream": "likes", "state": "closed"},
        {"hour": START_HOUR + 1, "stream": "posts", "state": "partial"},
    )
    assert json.loads(ask("status", "--json").stdout)["hours"] == {"closed": 1, "partial": 1}


def test_figures_of_a_closed_hour_come_from_the_coverage_table(
    root: Path, ask: Ask, truth: dict[Stream, list[bytes]]
) -> None:
    parts = list(root.glob("raw/follows/**/*.parquet"))
    hours = {START_HOUR: 0, START_HOUR + 1: 0}
    for part in parts:
        hours[START_HOUR + ("hour=17" in str(part))] += 1
    cover(
        root,
        *(
            {"hour": hour, "stream": "follows", "state": "closed", "rows": 7, "parts": count, "bytes": 9}
            for hour, count in hours.items()
        ),
    )
    reported = json.loads(ask("status", "--json").stdout)["streams"]
    assert (reported["follows"]["rows"], reported["follows"]["bytes"]) == (14, 18)
    assert reported["likes"]["rows"] == len(truth[Stream.LIKES])


def test_the_checkpoint_line_gives_the_committed_time(root: Path, ask: Ask) -> None:
    (root / ".state/checkpoints").mkdir(parents=True)
    for stream, seconds in ((Stream.POSTS, 50), (Stream.LIKES, 20)):
        cursor = Cursor(time_us=START_US + seconds * 1_000_000, epoch=1, push=4, host="wss://a.test", seq=77)
        write_checkpoint(root, stream, cursor.encode())
    shown = ask("status").stdout
    assert "all before 2026-09-21 16:00:20Z is committed (likes" in shown
    assert "wss://a.test, seq 77" in shown


def test_an_unreadable_part_is_reported(root: Path, ask: Ask) -> None:
    next(root.glob("raw/likes/**/*.parquet")).write_bytes(b"no Parquet")
    reported = json.loads(ask("status", "--json").stdout)
    assert reported["streams"]["likes"]["unreadable"] == 1
    assert "some parts cannot be read; run `archive verify`" in reported["next_steps"]


def test_an_empty_folder_is_no_archive(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("ARCHIVE_ROOT", str(tmp_path / "empty"))
    reported = ask("status")
    assert reported.exit_code == 0
    assert "no archive yet" in reported.stdout
    monkeypatch.setenv("ARCHIVE_ROOT", str(tmp_path / "missing"))
    reported = ask("status")
    assert reported.exit_code == 2
    assert "ARCHIVE_ROOT" in reported.stderr
