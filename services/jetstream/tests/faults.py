"""What hosts do wrong; each makes it happen, and sees that all is there or the hole on record."""

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
    source = host(events=total, rate=600)
    with pipeline(source) as running:
        for number, code in enumerate(CLOSE_CODES, 1):
            running.wait_pushed(number * 400, 60)
            hang_up(source, code)
        finish(running, total)
    verdict = audit(running.root, truth_of(source))
    assert verdict.passed, str(verdict)
    assert gaps(running.root) == []


def silence_changes_the_host(pipeline: Pipelines) -> None:
    first_us = int(time.time() * 1e6) - 2_000_000
    shared = {"first_us": str(first_us), "events": 9000, "rate": 600}
    near = host(**shared)  # type: ignore[arg-type]
    far = host(**shared, kind="v2", offset_us="700000", first_seq="5000")  # type: ignore[arg-type]
    with pipeline(near, far, ingest={"INGEST_IDLE_SECONDS": "1.5"}) as running:
        running.wait_pushed(1500, 30)
        near.send("silence")
        running.wait_pushed(9000, 60)
        metrics = running.ingester.metrics()
        assert metrics['archive_receive_reconnects_total{reason="silent"}'] >= 1
        assert len(far.status()["connections"]) >= 1
        finish(running, 9000)
    verdict = audit(running.root, truth_of(near, far))
    assert verdict.passed, str(verdict)
    assert gaps(running.root) == []


def blind_collection(pipeline: Pipelines) -> None:
    """Send everything but posts; the ingester leaves such a host and goes back to the last post."""
    first_us = int(time.time() * 1e6)
    shared = {"first_us": str(first_us), "events": 24_000, "rate": 40, "speed": "20"}
    near, far = host(**shared), host(**shared)  # type: ignore[arg-type]
    with pipeline(near, far) as running:
        running.wait_pushed(8000, 60)
        near.send("blind", collections=["app.bsky.feed.post"])
        wait_for(
            lambda: running.ingester.metrics().get(
                'archive_receive_reconnects_total{reason="collection_silent"}'
            ),
            60,
            "the blind host left",
        )
        finish(running, 24_000)
    verdict = audit(running.root, truth_of(near))
    assert verdict.passed, str(verdict)
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
    source = host()
    with pipeline(source) as running:
        running.wait_pushed(1000, 30)
        source.send("refuse", connects=3, status=503)
        source.send("hang_up", code=1006)
        finish(running, 6000)
    refused = running.ingester.logged("receive.refused")
    assert [line["status"] for line in refused] == [503, 503, 503]
    verdict = audit(running.root, truth_of(source))
    assert verdict.passed, str(verdict)


def bad_request_is_said_and_not_hammered(pipeline: Pipelines) -> None:
    source = host()
    source.start()
    source.send("refuse", connects=100, status=400, body="invalid subscriber options: invalid collection: x")
    with pipeline(source) as running:
        logged = wait_for(lambda: running.ingester.logged("receive.misconfigured"), 30, "the refusal logged")
        assert "invalid collection: x" in logged[0]["response"]
        assert "INGEST_COLLECTIONS" in logged[0]["remedy"]
        status, body = running.ingester.health()
        wait_for(lambda: running.ingester.is_alive, 1, "the ingester alive")
        assert running.ingester.stop() == 0
        assert len(running.ingester.logged("receive.misconfigured")) == 1
    assert (status, body["status"]) in ((200, "ok"), (503, "failing"))


def endless_oversize_frame(pipeline: Pipelines) -> None:
    """Plant a frame that cannot be received: it is stepped over, and the hole it leaves is on record."""
    source = host(events=12_000, rate=1500)
    with pipeline(source, ingest={"INGEST_MAX_FRAME_BYTES": str(1 << 20)}) as running:
        running.wait_pushed(3000, 30)
        source.send("plant", what="huge", size=2)
        finish(running, 12_000)
    verdict = audit(running.root, truth_of(source))
    assert verdict.passed, str(verdict)
    rows = gaps(running.root)
    assert [reason for reason, _, _ in rows] == ["oversize_frame"]
    assert all(from_us <= to_us < from_us + 2_000_000 for _, from_us, to_us in rows)


FAULTS = (
    every_close_code,
    silence_changes_the_host,
    blind_collection,
    blind_everywhere_is_a_gap,
    refusals,
    bad_request_is_said_and_not_hammered,
    endless_oversize_frame,
)
