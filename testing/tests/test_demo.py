"""The demo: exit status, output, folders, sources and proof; and the mark of a demo's archive."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from services.shared.settings import SettingsError
from testing.demo.__main__ import INTERRUPTED, LATEST, UNUSABLE, main, make_folder, remove_older, report_proof
from testing.demo.host import MARK, DemoSettings, mark, words_of
from testing.demo.proof import prove
from testing.demo.source import Generated, Recorded
from testing.demo.view import Sample, View
from testing.events import Traffic
from testing.fakes.jetstream.__main__ import arguments, options
from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.programs import run
from testing.harness.redis import NoServerError, find_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline


EVENTS = 3_000
NOW = 1_795_458_469.8907851


@pytest.fixture
def a_server() -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "testing.demo", *words, check=False, cwd=REPOSITORY, seconds=120)


@pytest.mark.usefixtures("a_server")
def test_a_short_demo_ends_with_a_proof(tmp_path: Path) -> None:
    done = demo("--seconds", "5", "--rate", "1000", "--archive", str(tmp_path / "archive"))
    assert done.returncode == 0, done.stdout
    assert "5,000 generated, 5,000 committed, 0 lost, 0 doubled, 0 altered" in done.stdout
    assert "2 reconnects" in done.stdout
    dropped = re.search(r"([\d,]+) repeated events dropped", done.stdout)
    assert dropped is not None
    assert int(dropped[1].replace(",", "")) > 0
    assert len(list((tmp_path / "archive" / "raw" / "likes").rglob("*.parquet"))) > 0


@pytest.mark.usefixtures("a_server")
def test_a_demo_replays_a_file_of_real_events(real_events: Path) -> None:
    done = demo("--source", str(real_events / "jetstream_v1_20260704.jsonl"))
    assert done.returncode == 0, done.stdout
    assert "152 in the file, 152 committed, 0 lost, 0 doubled, 0 altered" in done.stdout


@pytest.mark.usefixtures("a_server")
def test_an_interrupted_demo_stops_both_daemons() -> None:
    command = [sys.executable, "-m", "testing.demo", "--seconds", "30", "--rate", "500"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = ""
        while "cuts the connection" not in line:
            line = process.stdout.readline()
            assert line, "the demo ended before it was interrupted"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "the ingester ended with exit code 0, the writer ended with exit code 0" in rest


def test_the_proof_fails_for_a_missing_or_doubled_file_and_for_other_events(
    pipeline: Callable[..., Pipeline],
) -> None:
    running = pipeline(Host({"rate": "20000", "events": str(EVENTS), "backlog": "5"}))
    running.start()
    running.wait_pushed(EVENTS, 30)
    running.wait_committed(30)
    source = Generated(EVENTS / 20000, 20000.0, seed=1)
    assert source.events == EVENTS
    console = Console(quiet=True)

    def proof_of_archive() -> tuple[int, int, int]:
        proof = prove(running.root, source.truth(running.hosts[0].first_us))
        found = proof.audit.streams["posts"]
        return report_proof(proof, console, "generated"), found.lost, found.doubled

    assert proof_of_archive() == (0, 0, 0)
    part = next((running.root / "raw" / "posts").rglob("*.parquet"))
    whole = part.read_bytes()
    twin = part.with_name("twin.parquet")
    twin.write_bytes(whole)
    code, lost, doubled = proof_of_archive()
    assert (code, lost) == (1, 0)
    assert doubled > 0
    twin.unlink()
    part.unlink()
    code, lost, doubled = proof_of_archive()
    assert (code, doubled) == (1, 0)
    assert lost > 0
    part.write_bytes(whole)
    assert proof_of_archive() == (0, 0, 0)
    other = Generated(EVENTS / 20000, 20000.0, seed=2)
    assert not prove(running.root, other.truth(running.hosts[0].first_us)).holds


def test_the_proof_of_an_empty_archive_fails(tmp_path: Path) -> None:
    assert not prove(tmp_path, iter(())).holds


def test_unusable_arguments_are_refused(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert main(["--source", str(tmp_path / "nowhere.jsonl")]) == UNUSABLE
    assert main(["--source", str(empty)]) == UNUSABLE
    assert main(["--archive", str(full)]) == UNUSABLE


def test_a_missing_redis_server_is_reported_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none_here() -> str:
        raise NoServerError("install redis-server 7")

    monkeypatch.setattr("testing.demo.__main__.find_server", none_here)
    assert main([]) == UNUSABLE
    assert "install redis-server 7" in capsys.readouterr().out


def test_folders_of_ended_demos_are_removed_and_no_others(tmp_path: Path) -> None:
    old, lock = make_folder(tmp_path)
    lock.close()
    (tmp_path / "mine").mkdir()
    running, held = make_folder(tmp_path)
    with held:
        assert (tmp_path / LATEST).resolve() == running
        assert remove_older(tmp_path) == [old]
        assert sorted(tmp_path.iterdir()) == sorted([running, tmp_path / LATEST, tmp_path / "mine"])


def test_a_recorded_source_counts_identities_and_starts_before_its_first_event(tmp_path: Path) -> None:
    event = (
        b'{"did":"did:plc:a","time_us":1700000000000%03d,"kind":"commit","commit":{"rev":"%d","rkey":"r",'
        b'"operation":"delete","collection":"app.bsky.feed.like"}}\n'
    )
    file = tmp_path / "events.jsonl"
    file.write_bytes(event % (9, 1) + event % (3, 2) + event % (5, 1) + b"no event\n")
    source = Recorded(file, 100.0)
    assert (source.events, source.rejects) == (2, 1)
    assert source.start_us() == 1_700_000_000_000_003 - 1_000_000
    assert [stream for stream, _ in source.truth(0)] == ["likes", "likes", "likes", "rejects"]


def test_the_plain_view_prints_states() -> None:
    name = 'archive_buffer_pushed_total{stream="likes"}'
    states = {"ingester": "running", "writer": "running"}
    console = Console(file=io.StringIO(), record=True, width=200)
    with View(console) as view:
        view.show(Sample(0.0, {name: 0.0}, {}, states), "pushing")
        view.show(Sample(10.0, {name: 25_000.0}, {}, states), "pushing")
    shown = console.export_text()
    assert "ingester running, writer running" in shown
    assert "lag -" in shown


def test_the_plain_view_shows_no_lag_before_the_first_event() -> None:
    nan = float("nan")
    ingester, writer = "archive_receive_lag_seconds", "archive_commit_newest_event_timestamp_seconds"
    states = {"ingester": "running", "writer": "running"}
    console = Console(file=io.StringIO(), record=True, width=200)
    with View(console) as view:
        view.show(Sample(0.0, {ingester: nan}, {writer: nan}, states), "pushing")
    assert "lag -" in console.export_text()


def test_the_demo_mark_is_written_once(tmp_path: Path) -> None:
    first = mark(tmp_path, DemoSettings(demo_rate=7, demo_events=9, demo_seed=3), NOW)
    assert mark(tmp_path, DemoSettings(demo_rate=70), NOW + 100) == first == words_of(tmp_path)
    host = options(arguments(first))
    assert isinstance(host.source, Traffic)
    assert (host.source.seed, host.source.rate, host.source.total) == (3, 7, 9)


def test_a_shell_reads_the_demo_mark_and_the_start_is_before_the_first_event(tmp_path: Path) -> None:
    words = mark(tmp_path, DemoSettings(), NOW)
    shell = f". {tmp_path / MARK}; echo $INGEST_HOSTS $ARCHIVE_START $WRITER_INTERVAL"
    printed = run("sh", "-c", shell, env={}).stdout
    hosts, start, interval = printed.split()
    assert hosts == "ws://jetstream.demo:6008"
    assert int(start) < options(arguments(words)).clock.first_us
    assert interval == "5"


def test_an_archive_of_real_events_gets_no_demo_mark(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/id").write_text("0123456789abcdef")
    with pytest.raises(SettingsError, match="docker compose -p demo --profile demo up"):
        mark(tmp_path, DemoSettings(), NOW)
    assert not (tmp_path / MARK).exists()
