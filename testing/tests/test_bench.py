"""The bench's own parts: every event is there once, goals are judged by medians, a report shows it all."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import zstandard

from testing.demo.source import Generated, Recorded
from testing.events import HostView, Traffic
from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.performance.bench.__main__ import UNUSABLE, main
from testing.performance.bench.buffered import framed
from testing.performance.bench.child import ContestantError, run
from testing.performance.bench.end_to_end import Attempt, search
from testing.performance.bench.feed import handshake, wire_frame
from testing.performance.bench.frames import make_frames
from testing.performance.bench.outcome import Bar, Bars, Figures, Goal, Lines, Outcome, ratio, spread
from testing.performance.bench.report import write_report
from testing.performance.bench.run import BenchRun
from testing.performance.bench.sizes import in_batches

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.event import Stream
    from testing.performance.bench.frames import Frames

EVENTS = 1_000
FIRST_US = 1_783_175_888_000_000


def some(folder: Path, events: int = EVENTS) -> Frames:
    return make_frames(folder, Generated(events / 500, 500.0, 1), FIRST_US)


def bench_run(folder: Path, lines: list[str], repeats: int = 2, seconds: float = 60.0) -> BenchRun:
    work = folder / "work"
    work.mkdir()
    return BenchRun(some(folder, 10), work, repeats, 1, 1, time.monotonic() + seconds, lines.append)


def test_a_short_bench_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    folder = tmp_path / "report"
    words = ["--paths", "5", "6", "--events", str(EVENTS), "--repeats", "1", "--folder", str(folder)]
    assert main(words) == 0
    results = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    assert [outcome["path"] for outcome in results["outcomes"]] == [5, 6]
    page, text = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert page.count("<svg") == 2
    assert "### 6." in text
    assert results["machine"]["kernel"] in text
    assert "redis" in results["machine"]["versions"]
    assert str(folder / "report.html") in capsys.readouterr().out


def test_a_missing_source_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().out


def test_events_of_a_file_are_distinct(tmp_path: Path) -> None:
    events = list(Traffic(1, FIRST_US, 500.0, 20).truth(HostView()))
    path = tmp_path / "real.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in [*events, b"no event", events[3]]))
    frames = make_frames(tmp_path, Recorded(path, 500.0))
    assert frames.path.read_bytes().splitlines() == events
    assert [event for _, event in frames] == events
    assert frames.start_us < FIRST_US


def test_frames_are_split_by_stream(tmp_path: Path) -> None:
    frames = some(tmp_path)
    (tmp_path / "split").mkdir()
    frames.split(tmp_path / "split")
    for stream, events in frames.by_stream.items():
        assert (tmp_path / "split" / f"{stream}.ndjson").read_bytes().splitlines() == events
    assert sum(map(len, frames.by_stream.values())) == frames.events == EVENTS


def test_contestants_alternate_and_a_failing_one_is_left_out(tmp_path: Path) -> None:
    order: list[str] = []

    def able(name: str) -> float:
        order.append(name)
        return 1.0

    def unable(_: Path) -> float:
        raise ContestantError("not installed")

    lines: list[str] = []
    contestants = {"a": lambda _: able("a"), "b": lambda _: able("b"), "c": unable}
    assert bench_run(tmp_path, lines).alternate(contestants, str) == {"a": [1.0, 1.0], "b": [1.0, 1.0]}
    assert order == ["a", "b", "a", "b"]
    assert [line for line in lines if line.startswith("c")] == ["c: left out, not installed"]


def test_after_the_deadline_each_contestant_was_measured_once(tmp_path: Path) -> None:
    lines: list[str] = []
    found = bench_run(tmp_path, lines, repeats=5, seconds=0.0).alternate({"a": lambda _: 1.0}, str)
    assert found == {"a": [1.0]}
    assert "1 of 5" in lines[-1]


def test_the_error_of_a_failing_contestant_is_reported() -> None:
    with pytest.raises(ContestantError, match="ConnectionRefusedError"):
        run("testing.performance.bench.receivers.naive", "ws://127.0.0.1:1", "1", "redis://127.0.0.1:1")


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_any_size_follow_the_protocol(size: int) -> None:
    wire = wire_frame(b"x" * size)
    assert wire[0] == 0x81
    short = wire[1]
    header = 2 if short < 126 else 4 if short == 126 else 10
    length = short if short < 126 else int.from_bytes(wire[2:header], "big")
    assert (length, len(wire) - header) == (size, size)


def test_the_handshake_follows_the_protocol() -> None:
    request = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in handshake(request)


def test_figures_are_shown_with_their_spread() -> None:
    runs = [Figures(1000, seconds, 0.02, 5_000_000) for seconds in (1.0, 2.0, 4.0)]
    assert spread(run.rate for run in runs).text("{:,.0f}") == "500 (250-1,000)"
    assert spread([20.0, 20.0]).text("{:.0f}") == "20"
    assert ratio([4.0, 9.0], [2.0, 3.0]) == spread([2.0, 3.0])


def test_a_goal_is_reached_by_the_median() -> None:
    assert Goal("x", spread([0.5, 0.6, 0.9]), 0.6).reached
    assert not Goal("x", spread([0.5, 0.59, 0.9]), 0.6).reached
    assert Goal("x", spread([200.0]), 256.0, at_most=True).reached
    assert Goal("x", spread([300.0]), 256.0, "{:.0f}", at_most=True).cells() == (
        "x",
        "≤ 256",
        "300",
        "missed",
    )


def test_a_report_shows_every_row_goal_note_and_plot(tmp_path: Path) -> None:
    outcome = Outcome(1, "Title", ("name", "events/s"), [("a & b", "5")], notes=["Fair enough."])
    outcome.goals.append(Goal("a / b", spread([1.0]), 2.0))
    outcome.plots.append(Bars("Bars", "events/s", [Bar("a", spread([1.0, 2.0]))]))
    outcome.plots.append(Lines("Lines", "waiting", "MB", {"a": [(10.0, 1.0), (100.0, 2.0)]}))
    page = write_report([outcome], {"kernel": "6.1"}, "10 events", "now", tmp_path).read_text(
        encoding="utf-8"
    )
    assert page.count("<svg") == 2
    assert all(word in page for word in ("a &amp; b", "missed", "Fair enough.", "6.1"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| a & b | 5 |" in text
    assert "| a / b | ≥ 2.00 | 1.00 | missed |" in text


@pytest.mark.parametrize(
    ("limit", "low", "high"), [(27_000, 25_000, 27_000), (400, 0, 400), (1e9, 80_000, 1e9)]
)
def test_the_search_ends_at_a_rate_that_holds(limit: float, low: float, high: float) -> None:
    assert low <= search(lambda rate: rate <= limit, 5_000.0) <= high


def test_an_attempt_holds_only_if_no_buffer_grows() -> None:
    def at(lag: float, waiting: float) -> Attempt:
        samples = [
            {"at": s, "tip": 1000.0 * s, "pushed": 1000.0 * s - lag * s / 9, "waiting": waiting * s / 9}
            for s in map(float, range(10))
        ]
        return Attempt(1000.0, samples, samples)

    assert at(200, 5000).held
    assert not at(5000, 5000).held
    assert not at(200, 50_000).held
    assert at(0, 0).pushed_rate == pytest.approx(1000)


def test_batches_and_frames_hold_every_event_in_order(tmp_path: Path) -> None:
    frames = some(tmp_path)
    assert dict(in_batches(frames)) == frames.by_stream
    assert list(framed(frames, 1)) == list(frames)
    lines: dict[Stream, list[bytes]] = {}
    for stream, frame in framed(frames, 8):
        lines.setdefault(stream, []).extend(zstandard.decompress(frame).split(b"\n"))
    assert lines == frames.by_stream


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["--repeats", "0"], "--repeats must be at least 1"),
        (["--events", "-1"], "--events must be at least 1"),
        (["--source", "no/such.jsonl"], "there is no such file"),
    ],
)
def test_unusable_arguments_are_refused_before_anything_starts(
    words: list[str], remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "report"
    assert main([*words, "--folder", str(folder)]) == UNUSABLE
    assert remedy in capsys.readouterr().out
    assert not folder.exists()


def test_a_source_without_events_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.jsonl").touch()
    words = ["--source", str(tmp_path / "empty.jsonl"), "--folder", str(tmp_path / "report"), "--cores", "64"]
    assert main(words) == UNUSABLE
    assert "there is no event in" in capsys.readouterr().out
