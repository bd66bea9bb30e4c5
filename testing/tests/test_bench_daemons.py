"""The bench measures the daemons' whole work, with the packages of an image."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from testing.demo.source import Generated
from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.programs import run
from testing.harness.redis import NoServerError, find_server
from testing.performance.bench import end_to_end, memory
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.frames import make_frames
from testing.performance.bench.receiving import by_the_ingester
from testing.performance.bench.writing import by_the_writer
from testing.proof.audit import count_rows

if TYPE_CHECKING:
    from pathlib import Path


EVENTS = 1_000


@pytest.fixture(autouse=True)
def _server() -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))


def test_the_daemons_are_measured_on_every_event(tmp_path: Path) -> None:
    frames = make_frames(tmp_path, Generated(EVENTS / 500, 500.0, 3))
    received, fed_cpu = by_the_ingester(tmp_path / "ingester", frames)
    written = by_the_writer(tmp_path / "writer", frames)
    root = tmp_path / "writer" / "archive"
    assert {stream: count_rows(root, stream) for stream in frames.by_stream} == {
        stream: len(events) for stream, events in frames.by_stream.items()
    }
    assert received.events == written.events == EVENTS
    assert min(received.rss, written.rss, written.bytes) > 0
    assert fed_cpu >= 0


def test_an_attempt_samples_a_pipeline_that_reads_the_paced_feed(tmp_path: Path) -> None:
    path = tmp_path / "paced.jsonl"
    end_to_end.render(path, 1, 0, 400, 1)
    end_to_end.render(path, 1, 400, 900, 1)
    assert len(set(path.read_bytes().splitlines())) == 900
    (tmp_path / "try").mkdir()
    found = end_to_end.attempt(tmp_path / "try", path, 100.0, 8.0)
    assert found.pushed > 0
    assert max(sample["tip"] for sample in found.whole) == 800
    assert found.whole[-1]["pushed"] == 800
    assert all(found.cpu_a_million(name) > 0 for name in ("ingester", "redis", "writer"))
    assert {"rss.host", "rss.ingester", "rss.redis", "rss.writer"} <= set(found.samples[-1])


def test_memory_is_measured_with_a_backlog(tmp_path: Path) -> None:
    peaks = memory.measure(tmp_path, 2_000, 1)
    assert peaks.ingester > 0
    assert peaks.writer > 0
    raw = tmp_path / "archive" / "raw"
    streams = [path.name for path in raw.iterdir() if path.name not in ("gaps", "rejects")]
    assert sum(count_rows(tmp_path / "archive", stream) for stream in streams) == 2_000


@pytest.mark.parametrize("words", [(), AS_SHIPPED])
def test_pandas_cannot_be_imported_as_shipped(words: tuple[str, ...]) -> None:
    if importlib.util.find_spec("pandas") is None:
        missing("no pandas here; pip install pandas")
    module = (sys.executable, "-m", *words, "testing.tests.importing", "pandas")
    done = run(*module, check=False, cwd=REPOSITORY)
    assert ("ModuleNotFoundError" in done.stderr, done.returncode) == ((True, 1) if words else (False, 0))
