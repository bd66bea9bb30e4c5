"""`archive compact`, and other commands on compacted hours."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import redis

from services.buffer.keys import ARCHIVE_ID
from services.compactor.tests.archives import compact
from services.shared.event import Stream
from services.tools.tests.making import close_hours, note_gaps, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask
    from testing.harness.redis import RedisServer

    Events = dict[Stream, list[bytes]]


@pytest.fixture
def compacted(root: Path, truth: Events) -> Path:
    """Give a compacted archive that had duplicates."""
    write(root, Stream.LIKES, truth[Stream.LIKES][:30])
    note_gaps(root, (0, 60))
    compact(close_hours(root))
    return close_hours(root)


def test_commands_read_compacted_hours(compacted: Path, ask: Ask, truth: Events) -> None:
    assert all(
        path.name.startswith("compacted-") for path in compacted.glob("raw/*/year=*/**/hour=*/*.parquet")
    )
    assert json.loads(ask("verify", "--json").stdout)["findings"] == []
    reported = json.loads(ask("status", "--json").stdout)
    assert reported["streams"]["likes"]["rows"] == len(truth[Stream.LIKES])
    assert reported["hours"] == {"closed": 1, "partial": 1} or reported["hours"]["partial"] == 1
    assert len(ask("export").stdout.splitlines()) == sum(map(len, truth.values()))
    assert json.loads(ask("gaps", "--json").stdout)["seconds"] == 60
    assert ask("coverage", "--hours", "2026-09-21T16").exit_code == 1
    assert ask("coverage", "--hours", "2026-09-21T17").exit_code == 0


def test_late_duplicates_in_a_compacted_hour_are_hidden_and_found(
    compacted: Path, ask: Ask, truth: Events
) -> None:
    write(compacted, Stream.LIKES, truth[Stream.LIKES][:5])
    count = json.loads(ask("sql", "--json", "SELECT count(*) AS n FROM likes").stdout)
    assert count == [{"n": len(truth[Stream.LIKES])}]
    faults = json.loads(ask("verify", "--json").stdout)["findings"]
    assert {fault["fault"] for fault in faults} == {"duplicate"}, "it reopened the hour"


def test_rows_out_of_order_are_found(compacted: Path, ask: Ask) -> None:
    # The name says that it is not compacted, the footer that it is.
    assert json.loads(ask("verify", "--json").stdout)["findings"] == []
    part = min(compacted.glob("raw/likes/**/*.parquet"))
    renamed = part.with_name(part.name.removeprefix("compacted-"))
    part.rename(renamed)
    faults = json.loads(ask("verify", "--json").stdout)["findings"]
    assert renamed.relative_to(compacted).as_posix() in {fault["where"] for fault in faults}


def test_the_command_compacts(
    root: Path, ask: Ask, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_hours(root)
    with redis.Redis.from_url(redis_server.url("tools")) as tools:
        tools.set(ARCHIVE_ID, (root / ".state/id").read_text())
    monkeypatch.setenv("REDIS_URL", redis_server.url("writer"))
    monkeypatch.setenv("ARCHIVE_DISK_FREE_MIN_MB", "10")
    answer = ask("compact")
    assert answer.exit_code == 0, answer.stderr
    assert "became" in answer.stdout
    assert all(path.name.startswith("compacted-") for path in root.glob("raw/*/year=*/**/hour=*/*.parquet"))
    assert ask("coverage", "--hours", "2026-09-21T16..2026-09-21T17").exit_code == 0


def test_a_copy_is_compacted_with_no_redis_and_a_writers_archive_is_not(
    root: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, truth: Events
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://writer:none@127.0.0.1:1/0")
    monkeypatch.setenv("ARCHIVE_DISK_FREE_MIN_MB", "10")
    kept = shutil.copytree(root, root.with_name("kept"))
    monkeypatch.setenv("ARCHIVE_ROOT", str(close_hours(kept)))
    answer = ask("compact", "--close-all")
    assert answer.exit_code == 2
    assert "Redis cannot be asked whether events are claimed" in answer.stderr
    assert not list(kept.glob("raw/*/year=*/**/hour=*/compacted-*.parquet")), "a claim may hold what is here"
    monkeypatch.setenv("ARCHIVE_ROOT", str(root))
    answer = ask("compact", "--close-all")
    assert answer.exit_code == 0, answer.stderr
    assert all(path.name.startswith("compacted-") for path in root.glob("raw/*/year=*/**/hour=*/*.parquet"))
    assert len(ask("export").stdout.splitlines()) == sum(map(len, truth.values()))
