"""One repeat: the ingester fills Redis, the writer empties it, and the bare tools do the same data."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from testing.audit.__main__ import stream_of
from testing.bench.figures import Figures
from testing.bench.watched import Watched
from testing.daemons import REPOSITORY
from testing.pipeline import JETSTREAM, Pipeline
from testing.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

SECONDS = 120.0
NEVER = "3600"


def ingester_and_writer(folder: Path, frames: Path, events: int, birth_us: int) -> tuple[Figures, Figures]:
    """Measure both daemons on one filling of a real Redis."""
    write = {"WRITER_INTERVAL": NEVER, "WRITER_MAX_AGE": NEVER, "WRITER_MAX_ROWS": "1"}
    pipeline = Pipeline(folder, [], write=write, birth_us=birth_us)
    pipeline.redis.start()
    try:
        pipeline.configure()
        pipeline.writer.start("--once")
        assert pipeline.writer.wait() == 0
        with _feed(frames) as (port, feed):
            pipeline.ingester.settings["INGEST_HOSTS"] = f"ws://127.0.0.1:{port}"
            received = _ingester(pipeline, feed, events)
        return received, _writer(pipeline, events)
    finally:
        pipeline.end()


def bare_loop(frames: Path, events: int) -> Figures:
    """Measure a client that only receives."""
    with _feed(frames) as (port, feed):
        words = [sys.executable, "-m", "testing.bench.bare", f"ws://127.0.0.1:{port}/", str(events)]
        with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as client:
            _go(feed)
            said, _ = client.communicate(timeout=SECONDS)
    return Figures(events, **json.loads(said))


def duckdb_copy(folder: Path, frames: Path, events: int) -> Figures:
    """Measure DuckDB on the same frames, sorted into a file a stream before."""
    folder.mkdir()
    with contextlib.ExitStack() as files:
        of_stream: dict[str, IO[bytes]] = {
            stream: files.enter_context((folder / f"{stream}.ndjson").open("wb")) for stream in JETSTREAM
        }
        for frame in frames.read_bytes().splitlines():
            of_stream[stream_of(frame)].write(frame + b"\n")
    words = [sys.executable, "-m", "testing.bench.duck", str(folder)]
    said = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=SECONDS)
    return Figures(events, **json.loads(said.stdout))


def _ingester(pipeline: Pipeline, feed: subprocess.Popen[str], events: int) -> Figures:
    """From the first frame sent until Redis has acknowledged the last event."""
    pipeline.ingester.start()
    _connected(feed)
    assert pipeline.ingester.process is not None
    with Watched(pipeline.ingester.process.pid) as watched:
        began = time.perf_counter()
        _go(feed)
        pipeline.wait_pushed(events, SECONDS)
        seconds = time.perf_counter() - began
    assert pipeline.distinct() == events
    assert pipeline.ingester.stop() == 0
    return Figures(events, seconds, watched.cpu, watched.rss)


def _writer(pipeline: Pipeline, events: int) -> Figures:
    """From full lists to synced files.

    The lists are put aside until the writer has started, so that its start is not in the figures; how long it
    took it says itself, for it looks once a second only.
    """
    with contextlib.closing(pipeline.tools()) as tools:
        _rename(tools, "archive:buffer:", "aside:")
        pipeline.writer.start()
        pipeline.writer.wait_healthy()
        assert pipeline.writer.process is not None
        with Watched(pipeline.writer.process.pid) as watched:
            _rename(tools, "aside:", "archive:buffer:")
            pipeline.wait_committed(SECONDS)
    assert pipeline.writer.stop() == 0
    done = [line for line in pipeline.writer.logged("commit.done") if line["stream"] in JETSTREAM]
    assert sum(line["rows"] for line in done) == events
    size = sum(line["bytes"] for line in done)
    return Figures(events, sum(line["seconds"] for line in done), watched.cpu, watched.rss, size)


def _rename(tools: redis.Redis, before: str, after: str) -> None:
    """Rename the lists of all streams at once."""
    with tools.pipeline() as all_of_them:
        for stream in JETSTREAM:
            all_of_them.rename(before + stream, after + stream)
        all_of_them.execute()


@contextlib.contextmanager
def _feed(frames: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    words = [sys.executable, "-m", "testing.bench.feed", str(frames)]
    feed = subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(_said(feed)["port"]), feed
    finally:
        feed.terminate()
        feed.communicate()


def _connected(feed: subprocess.Popen[str]) -> None:
    wait_for(lambda: _said(feed).get("connected"), SECONDS, "a client of the feed")


def _said(feed: subprocess.Popen[str]) -> dict[str, Any]:
    said: IO[str] | None = feed.stdout
    assert said is not None
    answer: dict[str, Any] = json.loads(said.readline())
    return answer


def _go(feed: subprocess.Popen[str]) -> None:
    assert feed.stdin is not None
    feed.stdin.write("go\n")
    feed.stdin.flush()
