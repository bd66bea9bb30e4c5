"""The ingester as its users run it: a real process between a real websocket and a real Redis.

The assertions read the Parquet files, as a user would.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.jetstream.tests.faults import FAULTS
from services.jetstream.tests.running import finish, gaps, hang_up, host
from services.shared.event import Reason
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_jetstream_connection(pipeline: Pipelines, kind: str) -> None:
    fake = host(kind=kind)
    with pipeline(fake) as running:
        running.ingester.wait_healthy()
        running.wait_pushed(1000, 30)
        metrics = running.ingester.metrics()
        assert metrics["archive_receive_connected"] == 1
        assert metrics[f'archive_receive_host{{host="{fake.address}"}}'] == 1
        request = fake.status()["connections"][0]
        assert request["cursor"] is not None, "a new archive begins at its start, not at the live tail"


@pytest.mark.skipif(os.environ.get("RUN_LIVE") != "1", reason="reads the public hosts; set RUN_LIVE=1")
def test_jetstream_connection_live(pipeline: Pipelines) -> None:
    running = pipeline(start_us=int(time.time() * 1e6) - 5_000_000)
    running.hosts = []
    running.redis.start()
    running.configure()
    del running.ingester.settings["INGEST_HOSTS"]
    running.writer.start()
    running.ingester.start()
    began = time.monotonic()
    wait_for(
        lambda: time.monotonic() - began > 30 and running.distinct() > 3000, 90, "30 s of the public stream"
    )
    assert running.ingester.stop() == 0


def test_redis_write(pipeline: Pipelines) -> None:
    fake = host(events=12_000, rate=2000)
    with pipeline(fake) as running:
        running.wait_pushed(12_000, 60)
        metrics = running.ingester.metrics()
        pushes = metrics["archive_buffer_latency_seconds_count"]
        assert pushes > 0
        assert metrics['archive_buffer_latency_seconds_bucket{le="1.0"}'] == pushes
        finish(running, 12_000)


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_end_to_end(pipeline: Pipelines, kind: str) -> None:
    fake = host(kind=kind)
    with pipeline(fake) as running:
        wait_for(lambda: fake.status()["tip"] >= 3000, 30, "half of the events sent")
        fake.send("hang_up", code=1006)
        finish(running, 6000)
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)
    assert gaps(running.root) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_error_handling(pipeline: Pipelines, fault: Callable[[Pipelines], None]) -> None:
    fault(pipeline)


BAD_FRAMES = {
    Reason.NOT_JSON: b'{"did":"did:plc:a","time_us":1,',
    Reason.BAD_UNICODE: b'{"did":"did:plc:\\ud800x","time_us":1,"kind":"commit"}',
    Reason.TOO_DEEP: b'{"did":"did:plc:a","time_us":1,"kind":"commit","commit":'
    b'{"rev":"r","operation":"create","collection":"c","rkey":"k","record":'
    + b"[" * 5000
    + b"]" * 5000
    + b"}}",
    Reason.MISSING_FIELD: b'{"did":"did:plc:a","kind":"commit"}',
    Reason.WRONG_TYPE: b'{"did":7,"time_us":1,"kind":"commit"}',
    Reason.INTEGER_OVERFLOW: b'{"did":"did:plc:a","time_us":9223372036854775808,"kind":"commit"}',
    Reason.UNKNOWN_KIND: b'{"did":"did:plc:a","time_us":1,"kind":"tombstone"}',
    Reason.TOO_LARGE: b'{"did":"did:plc:a","time_us":1,"kind":"' + b"x" * 30_000 + b'"}',
}


def test_data_validation(pipeline: Pipelines) -> None:
    fake = host()
    with pipeline(fake, ingest={"INGEST_MAX_EVENT_BYTES": "20000"}) as running:
        running.wait_pushed(500, 30)
        for frame in BAD_FRAMES.values():
            fake.send("plant", payload=base64.b64encode(frame).decode())
        fake.send("plant", payload=base64.b64encode(b"\xff\xfe not utf-8").decode(), binary=True)
        finish(running, 6000)
        counts = running.pushed()
    query = "SELECT reason, frame, host FROM read_parquet(?)"
    rows = duckdb.execute(query, [f"{running.root}/raw/rejects/**/*.parquet"]).fetchall()
    found = {(reason, bytes(frame)) for reason, frame, _ in rows}
    assert found == {*BAD_FRAMES.items(), (Reason.BAD_UNICODE, b"\xff\xfe not utf-8")}
    assert {named for _, _, named in rows} == {fake.address}
    assert counts["rejects:rejected"] >= len(rows)
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)


def test_monitoring(pipeline: Pipelines) -> None:
    fake = host(events=5000)
    with pipeline(fake) as running:
        running.wait_pushed(5000, 60)
        running.wait_committed(30)
        wait_for(lambda: running.writer.total("archive_commit_rows_total") >= 5001, 10, "rows counted")
        assert running.ingester.total("archive_receive_frames_total") == 5000
        assert running.ingester.total("archive_validate_events_total") == 5000
        assert running.ingester.total("archive_validate_rejects_total") == 0
        pushed = running.ingester.metrics()
        assert sum(v for k, v in pushed.items() if k.startswith("archive_buffer_pushed_total")) == 5000
        assert running.writer.total("archive_commit_rows_total") == 5001, (
            "the events and the archive start's gap row"
        )
        likes = sum(b'"app.bsky.feed.like"' in frame for stream, frame in truth_of(fake) if stream == "likes")
        assert pushed['archive_buffer_pushed_total{stream="likes"}'] == likes
        status, facts = running.ingester.health()
        assert (status, facts["state"]) == (200, "running")


def test_continuous_run(pipeline: Pipelines) -> None:
    """Two days of event time in about a minute: hour and day borders, a reconnect every few seconds."""
    days_us = 2 * 86_400 * 1_000_000
    total = 86_400
    first_us = 1_767_139_200_000_000 + 3600 * 1_000_000
    fake = host(events=total, rate=1, first_us=str(first_us), speed="4000", backlog="0")
    fake.options["rate"] = "0.5"
    with pipeline(fake) as running:
        for reconnect in range(1, 16):
            running.wait_pushed(reconnect * 5000, 60)
            hang_up(fake, 1006 if reconnect % 2 else 1000)
        finish(running, total, 120)
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)
    assert gaps(running.root) == []
    hours = {path.parent for path in running.root.glob("raw/likes/year=*/month=*/day=*/hour=*/*.parquet")}
    assert len(hours) == days_us // 3_600_000_000


def test_log_lines_are_json_and_few(pipeline: Pipelines) -> None:
    fake = host()
    with pipeline(fake) as running:
        finish(running, 6000)
    for daemon in (running.ingester, running.writer):
        lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
        assert {line["event"] for line in lines} >= {"start", "stop"}
        assert all({"timestamp", "level", "service", "version"} <= line.keys() for line in lines)
        assert len(lines) < 200, "a line per event would be thousands"
