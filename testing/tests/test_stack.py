"""The whole stack, started like a user's: every event is archived once, also when Redis is killed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from services.shared.event import Stream
from testing.harness.redis import pushed, waiting
from testing.harness.stack import (
    DAEMONS,
    IMAGE_TAG,
    METRICS,
    PIPELINE,
    PRODUCTION,
    Stack,
    images_of_production,
)
from testing.harness.stack_faults import client
from testing.harness.truth import truth_of_demo
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeStack = Callable[..., Stack]

NO_EVENT = b"not an event"


def test_demo_profile(stack: MakeStack) -> None:
    events = 10_000
    one = stack({"DEMO_RATE": "500", "DEMO_EVENTS": str(events)}, profiles=("demo",))
    one.up(*PIPELINE, *METRICS)
    with one.control() as control:
        control.send("plant", payload=base64.b64encode(NO_EVENT).decode())
    assert one.get("HEALTH_PORT", "/healthz")["status"] == "ok"
    _wait_committed(one, events)
    wait_for(lambda: _streams_with_parts(one) >= set(Stream), 60, "files of every stream")
    archive = one.archive()

    one.compose("stop", "--timeout", "60", seconds=120)
    assert one.exit_codes(*DAEMONS) == dict.fromkeys(DAEMONS, 0)
    one.compose("down", "--timeout", "60", seconds=120)

    verdict = audit(archive, [*truth_of_demo(archive), ("rejects", NO_EVENT)])
    assert verdict.passed, str(verdict)


def test_redis_killed_under_load(stack: MakeStack) -> None:
    events = 60_000
    one = stack({"DEMO_RATE": "1000", "DEMO_EVENTS": str(events)}, profiles=("demo",))
    # Without the compactor: waiting for it would take longer than the traffic.
    one.up(*(service for service in PIPELINE if service != "compactor"))
    for _ in range(2):
        with client(one) as server:
            enough = pushed(server) + 1000
            wait_for(lambda: pushed(server) > enough, 30, "events flow")  # noqa: B023 - waited for here
        one.compose("kill", "-s", "KILL", "redis")
        one.compose("start", "redis")
        one.wait_healthy("redis")
    _wait_committed(one, events)
    archive = one.archive()
    verdict = audit(archive, truth_of_demo(archive))
    assert verdict.passed, str(verdict)


def test_production_starts(stack: MakeStack) -> None:
    images = images_of_production("bluesky-archive", IMAGE_TAG)
    site = {**images, "SITE_ADDRESS": "http://127.0.0.1"}
    one = stack(site, files=("docker-compose.yml", PRODUCTION))
    # Without the ingester, which would connect to the public hosts.
    one.up("redis", "data_writer", "health", "caddy", *METRICS)
    # A short answer: without an ingester it is not ok.
    with pytest.raises(HTTPError) as refused:
        one.get("HTTP_PORT", "/healthz")
    with refused.value as reply:
        assert (reply.code, reply.read().strip()) == (503, b"not ok")
    published = [service for service in (*DAEMONS[2:], *METRICS, "redis") if _published(one, service)]
    assert not published


def _wait_committed(stack: Stack, events: int) -> None:
    with client(stack) as server:
        wait_for(
            lambda: pushed(server) == events and waiting(server) == 0, 120, f"{events} events are committed"
        )


def _streams_with_parts(stack: Stack) -> set[str]:
    listed = stack.compose("exec", "-T", "data_writer", "find", "/archive/raw", "-name", "*.parquet")
    return {path.removeprefix("/archive/raw/").partition("/")[0] for path in listed.splitlines()}


def _published(stack: Stack, service: str) -> bool:
    ports = stack.inspect(service)["NetworkSettings"]["Ports"]
    return any(bindings for bindings in ports.values())
