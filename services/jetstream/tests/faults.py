"""Faults of hosts. Each function causes one and asserts that every event is archived or the gap recorded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from services.jetstream.tests.running import finish, gaps, hang_up, host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


CLOSE_CODES = [1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4999]


def every_close_code(pipeline: Pipelines) -> None:
    total = 9000
    fake = host(events=total, rate=600)
    with pipeline(fake) as running:
        for number, code in enumerate(CLOSE_CODES, 1):
            running.wait_pushed(number * 400, 60)
            hang_up(fake, code)
        finish(running, total)
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)
    assert gaps(running.root) == []


def silence_changes_the_host(pipeline: Pipelines) -> None:
    first_us = int(time.time() * 1e6) - 2_000_000
    shared = {"first_us": str(first_us), "events": 9000, "rate": 600}
    first = host(**shared)  # type: ignore[arg-type]
    other = host(**shared, kind="v2", offset_us="700000", first_seq="5000")  # type: ignore[arg-type]
    with pipeline(first, other, ingest={"INGEST_IDLE_SECONDS": "1.5"}) as running:
        running.wait_pushed(1500, 30)
        first.send("silence")
        running.wait_pushed(9000, 60)
        metrics = running.ingester.metrics()
        assert metrics['archive_receive_reconnects_total{reason="silent"}'] >= 1
        assert len(other.status()["connections"]) >= 1
        finish(running, 9000)
    report = audit(running.root, truth_of(first, other))
    assert report.passed, str(report)
    assert gaps(running.root) == []


def blind_collection(pipeline: Pipelines) -> None:
    """Send everything but posts: the ingester leaves the host and resumes from the last post."""
    first_us = int(time.time() * 1e6)
    shared = {"first_us": str(first_us), "events": 24_000, "rate": 40, "speed": "20"}
    first, other = host(**shared), host(**shared)  # type: ignore[arg-type]
    with pipeline(first, other) as running:
        running.wait_pushed(8000, 60)
        first.send("blind", collections=["app.bsky.feed.post"])
        wait_for(
            lambda: running.ingester.metrics().get(
                'archive_receive_reconnects_total{reason="collection_silent"}'
            ),
            60,
            "the blind host left",
        )
        finish(running, 24_000)
    report = audit(running.root, truth_of(first))
    assert report.passed, str(report)
    assert gaps(running.root) == []


def blind_everywhere_is_a_gap(pipeline: Pipelines) -> None:
    first_us = int(time.time() * 1e6)
    total = 24_000
    only = host(events=total, rate=40, first_us=str(first_us), speed="20")
    with pipeline(only) as running:
        running.wait_pushed(8000, 60)
        only.send("blind", collections=["app.bsky.feed.post"])
        wait_for(
            lambda: running.ingester.metrics().get('archive_receive_gaps_total{reason="collection_silent"}'),
            60,
            "the gap noted",
        )
        running.wait_committed(30)
        wait_for(lambda: gaps(running.root), 30, "the gap row committed")
    reasons = {reason for reason, _, _ in gaps(running.root)}
    assert reasons == {"collection_silent"}


def refusals(pipeline: Pipelines) -> None:
    fake = host()
    with pipeline(fake) as running:
        running.wait_pushed(1000, 30)
        fake.send("refuse", connects=3, status=503)
        fake.send("hang_up", code=1006)
        finish(running, 6000)
    refused = running.ingester.logged("receive.refused")
    assert [line["status"] for line in refused] == [503, 503, 503]
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)


def bad_request_is_logged_and_not_repeated_at_once(pipeline: Pipelines) -> None:
    fake = host()
    fake.start()
    fake.send("refuse", connects=100, status=400, body="invalid subscriber options: invalid collection: x")
    with pipeline(fake) as running:
        logged = wait_for(lambda: running.ingester.logged("receive.misconfigured"), 30, "the refusal logged")
        assert "invalid collection: x" in logged[0]["response"]
        assert "INGEST_COLLECTIONS" in logged[0]["remedy"]
        status, body = running.ingester.health()
        wait_for(lambda: running.ingester.is_alive, 1, "the ingester alive")
        assert running.ingester.stop() == 0
        assert len(running.ingester.logged("receive.misconfigured")) == 1
    assert (status, body["status"]) in ((200, "ok"), (503, "failing"))


def endless_oversize_frame(pipeline: Pipelines) -> None:
    """Send a frame that cannot be received: it is skipped, and the gap is recorded."""
    fake = host(events=12_000, rate=1500)
    with pipeline(fake, ingest={"INGEST_MAX_FRAME_BYTES": str(1 << 20)}) as running:
        running.wait_pushed(3000, 30)
        fake.send("plant", what="huge", size=2)
        finish(running, 12_000)
    report = audit(running.root, truth_of(fake))
    assert report.passed, str(report)
    rows = gaps(running.root)
    assert [reason for reason, _, _ in rows] == ["oversize_frame"]
    assert all(from_us <= to_us < from_us + 2_000_000 for _, from_us, to_us in rows)


FAULTS = (
    every_close_code,
    silence_changes_the_host,
    blind_collection,
    blind_everywhere_is_a_gap,
    refusals,
    bad_request_is_logged_and_not_repeated_at_once,
    endless_oversize_frame,
)
