"""With a real writer, rows of an account are erased from every tier, and all others are stored once."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import duckdb

from services.archive.paths import HOUR_US
from services.shared.event import Stream
from services.tools.forget.erase import replace_object
from services.tools.forget.search import conditions
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import indexed
from services.tools.offload.tests.conftest import OffloadedArchive, store, stored, swift_endpoint
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR
from services.tools.tests.running import run
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

__all__ = ["store", "stored", "swift_endpoint"]
EVENTS = 4000


def busiest(frames: Iterable[bytes]) -> str:
    (did, _), *_ = Counter(json.loads(frame)["did"] for frame in frames).most_common(1)
    return str(did)


def rows_of(did: str, root: Path, pattern: str) -> int:
    files = [str(path) for path in root.glob(pattern)]
    if not files:
        return 0
    asked = (
        "SELECT count(*) FROM read_parquet(?, union_by_name = true, hive_partitioning = false) WHERE did = ?"
    )
    row = duckdb.execute(asked, [files, did]).fetchone()
    assert row is not None
    return int(row[0])


def test_an_account_is_erased_from_closed_hours_and_replaced_files_and_nothing_else_is(
    pipeline: Callable[..., Pipeline],
) -> None:
    # Two hours are closed; the third has twelve minutes of events and is open.
    first_us = START_HOUR * HOUR_US
    options = {"rate": "0.5", "events": str(EVENTS), "backlog": str(2 * 3600 + 720)}
    source = Host(options, first_us=first_us, started=time.time())
    with pipeline(source, compact={"COMPACT_AFTER_MINUTES": "0"}) as running:
        truth = list(truth_of(source))
        of_closed = [pair for pair in truth if hour_of_frame(pair[1]) < START_HOUR + 2]
        did = busiest(frame for _, frame in of_closed)
        mine = sum(json.loads(frame)["did"] == did for _, frame in of_closed)
        running.wait_pushed(len(of_closed) + 300, 60)
        closed = "raw/*/year=*/month=*/day=*/hour=1[67]/*.parquet"
        wait_for(lambda: rows_of(did, running.root, closed) == mine, 60, "all of the account committed")
        code, output = run(running, "forget", did)
        assert (code, "Nothing was changed" in output) == (1, True), output
        running.compactor.start()
        running.compactor.wait_healthy()
        code, output = run(running, "forget", did, "--yes")
        assert code in (0, 1), output
        assert f"{mine:,} rows are gone" in output
        wait_for(lambda: running.writer.total("archive_unaccounted_events") == 0, 30, "the ledger closed")
        assert running.compactor.stop() == 0, "they took turns"
        running.ingester.stop()
        running.wait_committed(30)
        assert rows_of(did, running.root, closed) == 0
        assert rows_of(did, running.root, ".state/replaced/*/*/*.parquet") == 0
        kept = [
            (stream, frame)
            for stream, frame in truth
            if json.loads(frame)["did"] != did or hour_of_frame(frame) >= START_HOUR + 2
        ]
        verdict = audit(running.root, kept)
    for name, stream in verdict.streams.items():
        assert (stream.doubled, stream.altered, stream.unknown) == (0, 0, 0), (name, stream)
    assert sum(stream.archive for stream in verdict.streams.values()) >= len(of_closed) + 300 - mine


def hour_of_frame(frame: bytes) -> int:
    return int(json.loads(frame)["time_us"]) // HOUR_US


def test_objects_are_replaced_without_the_rows(stored: OffloadedArchive) -> None:
    frames = [frame for frames in stored.truth.values() for frame in frames]
    did = busiest(frames)
    mine = sum(json.loads(frame)["did"] == did for frame in frames)
    stored.ask("offload", "--remove")
    stored.swap()
    before = stored.rows()
    wanted, bucket = conditions(did, mentions=False), Bucket(ToolsSettings())
    erased = sum(
        replace_object(stored.root, bucket, remote, wanted[remote.stream], 256)
        for remote in list(indexed(stored.root, wanted))
    )
    assert erased == mine > 0
    assert stored.rows() == before - mine
    asked = " + ".join(f"(SELECT count(*) FROM {stream} WHERE did = '{did}')" for stream in stored.truth)  # noqa: S608 - a test's own words
    assert stored.ask("sql", "--csv", f"SELECT {asked} AS n").stdout.split()[-1] == "0"
    kept = {one.key for one in indexed(stored.root, Stream)}
    assert all(bucket.size(key) is not None for key in kept)
