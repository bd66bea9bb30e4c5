"""The demo's mark: made at an archive's start, the same ever after, never on an archive of real events."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from services.shared.settings import SettingsError
from testing.demo.host import MARK, DemoSettings, mark, words_of
from testing.events import Traffic
from testing.fakes.jetstream.__main__ import arguments, options

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_458_469.8907851


def test_the_mark_is_made_once(tmp_path: Path) -> None:
    first = mark(tmp_path, DemoSettings(demo_rate=7, demo_events=9, demo_seed=3), NOW)
    assert mark(tmp_path, DemoSettings(demo_rate=70), NOW + 100) == first == words_of(tmp_path)
    host = options(arguments(first))
    assert isinstance(host.source, Traffic)
    assert (host.source.seed, host.source.rate, host.source.total) == (3, 7, 9)


def test_a_shell_reads_it_and_the_start_is_before_the_first_event(tmp_path: Path) -> None:
    words = mark(tmp_path, DemoSettings(), NOW)
    shell = f". {tmp_path / MARK}; echo $INGEST_HOSTS $ARCHIVE_START $WRITER_INTERVAL"
    said = subprocess.run(["sh", "-c", shell], check=True, capture_output=True, text=True, env={}).stdout
    hosts, start, interval = said.split()
    assert hosts == "ws://jetstream.demo:6008"
    assert int(start) < options(arguments(words)).clock.first_us
    assert interval == "5"


def test_an_archive_of_real_events_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/id").write_text("0123456789abcdef")
    with pytest.raises(SettingsError, match="docker compose -p demo --profile demo up"):
        mark(tmp_path, DemoSettings(), NOW)
    assert not (tmp_path / MARK).exists()
