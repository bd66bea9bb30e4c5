"""The bench: it counts all events of all four, and the feed speaks the websocket protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from testing.audit.__main__ import stream_of
from testing.bench.__main__ import NAMES, main
from testing.bench.feed import on_the_wire
from testing.bench.figures import Figures, row
from testing.bench.measure import bare_loop, duckdb_copy
from testing.events import HostView, Traffic
from testing.fixtures import missing
from testing.redis_server import NoServerError, find_server

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 2_000


def frames_in(folder: Path) -> Path:
    path = folder / "frames.jsonl"
    traffic = Traffic(1, 1_783_175_888_000_000, 500.0, EVENTS)
    path.write_bytes(b"".join(frame + b"\n" for frame in traffic.truth(HostView())))
    return path


def test_a_short_bench_has_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    assert main(["--events", str(EVENTS), "--repeats", "1"]) == 0
    said = capsys.readouterr().out
    assert all(name.split(":")[0] in said for name in NAMES.values())


def test_the_bare_loop_receives_every_frame(tmp_path: Path) -> None:
    found = bare_loop(frames_in(tmp_path), EVENTS)
    assert found.events == EVENTS
    assert min(found.seconds, found.cpu, found.rss) > 0


def test_duckdb_copies_every_event_with_its_typed_columns(tmp_path: Path) -> None:
    frames = frames_in(tmp_path)
    duckdb_copy(tmp_path / "duckdb", frames, EVENTS)
    likes = [json.loads(frame) for frame in frames.read_bytes().splitlines() if stream_of(frame) == "likes"]
    created = [like for like in likes if like["commit"]["operation"] == "create"]
    rows = duckdb.execute(
        "SELECT count(*), count(subject_uri), count(created_at), max(time_us) FROM read_parquet(?)",
        [str(tmp_path / "duckdb" / "likes.parquet")],
    ).fetchall()
    newest = max(like["time_us"] for like in likes)
    assert rows == [(len(likes), len(created), len(created), newest)]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_of_any_size_is_told_as_the_protocol_says(size: int) -> None:
    wire = on_the_wire(b"x" * size)
    assert wire[0] == 0x81
    short = wire[1]
    header = 2 if short < 126 else 4 if short == 126 else 10
    told = short if short < 126 else int.from_bytes(wire[2:header], "big")
    assert (told, len(wire) - header) == (size, size)


def test_a_row_tells_median_and_spread() -> None:
    runs = [Figures(1000, seconds, 0.02, 5_000_000, 90_000) for seconds in (1.0, 2.0, 4.0)]
    assert row("x", runs) == ["x", "500 (250-1,000)", "20.0 (20.0-20.0)", "5 (5-5)", "90.0"]
