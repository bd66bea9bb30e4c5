"""Whom the loop refuses to work with, and from where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from services.buffer.keys import buffer_key, claim_key
from services.data_writer.tests.feeding import FIRST_US, push, traffic
from services.shared.event import Stream
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    Pipelines = Callable[..., Pipeline]


def test_a_second_writer_of_the_same_streams_is_refused(writer: Pipeline) -> None:
    writer.writer.start()
    writer.writer.wait_healthy()
    second = Pipeline(writer.folder / "second", [], start_us=FIRST_US)
    second.writer.settings = dict(writer.writer.settings)
    second.writer.start()
    assert second.writer.wait(30) == 1
    (said,) = second.writer.logged("stop.broken")
    assert "another writer owns" in said["error"]
    assert "WRITER_STREAMS" in said["error"]


def test_another_archive_is_refused(writer: Pipeline) -> None:
    """The volume is not mounted: the writer must not fill the folder below."""
    writer.write_once()
    writer.writer.settings["ARCHIVE_ROOT"] = str(writer.folder / "unmounted")
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 1
    assert "mount the right volume" in writer.writer.logged("stop.broken")[-1]["error"]


def test_volume_lost_resumes_from_the_checkpoint(pipeline: Pipelines) -> None:
    """Redis' data is gone: the cursor comes back from the archive, and the rest from Jetstream."""
    source = Host({"rate": "1500", "events": "12000", "backlog": "2"})
    running = pipeline(source)
    running.start()
    running.wait_pushed(6000, 60)
    running.redis.kill()
    running.redis.lose_volume()
    running.redis.start()
    wait_for(lambda: source.status()["tip"] >= 12_000, 60, "the host's last event")
    wait_for(lambda: running.writer.metrics().get("archive_claim_epoch") == 2, 60, "a new epoch")
    wait_for(lambda: _held(running) >= 12_000, 90, "every event in Redis or the archive")
    running.wait_committed(60)
    assert running.ingester.stop() == 0
    assert running.writer.stop() == 0
    verdict = audit(running.root, truth_of(source))
    lost = sum(one.lost + one.altered + one.strangers for one in verdict.streams.values())
    assert lost == 0, str(verdict)


def _held(running: Pipeline) -> int:
    parts = [
        str(path)
        for pattern in ("[!gr]*", "re[pc]o*")
        for path in running.root.glob(f"{pattern}/year=*/**/*.parquet")
    ]
    asked = "SELECT count(DISTINCT time_us) FROM read_parquet(?, union_by_name = true)"
    rows = duckdb.execute(asked, [parts]).fetchone() if parts else None
    return int(rows[0]) if rows else 0


def test_claims_of_another_chunk_size_are_cut_as_they_were(writer: Pipeline) -> None:
    events = [(stream, frame) for stream, frame in traffic(3000) if stream == "likes"]
    push(writer, events)
    with writer.tools() as tools:
        tools.rename(buffer_key(Stream.LIKES), claim_key(Stream.LIKES, 500))
    writer.write_once()
    counts = duckdb.execute(
        "SELECT num_rows FROM parquet_file_metadata(?)", [f"{writer.root}/likes/**/*.parquet"]
    ).fetchall()
    assert max(count for (count,) in counts) == 500
    assert audit(writer.root, events).passed
