"""The writer refuses another archive, and cuts a claim as it was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from services.buffer.keys import buffer_key, claim_key
from services.data_writer.tests.feeding import push, traffic
from services.shared.event import Stream
from testing.proof.audit import audit

if TYPE_CHECKING:
    from testing.harness.pipeline import Pipeline


def test_another_archive_is_refused(writer: Pipeline) -> None:
    """The volume is not mounted: the writer must not fill the folder below."""
    writer.write_once()
    writer.writer.settings["ARCHIVE_ROOT"] = str(writer.folder / "unmounted")
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 1
    assert "mount the right volume" in writer.writer.logged("stop.broken")[-1]["error"]


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
