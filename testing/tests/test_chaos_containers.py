"""Random faults of the stack's containers: in the end every event is in the archive once."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
import redis

from testing.harness.redis import pushed, waiting
from testing.harness.stack import PIPELINE, Stack
from testing.harness.stack_faults import client, disconnect, kill, pause, stop
from testing.harness.truth import truth_of_demo
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeStack = Callable[..., Stack]

EVENTS = 30_000
SETTINGS = {
    "DEMO_RATE": "1000",
    "DEMO_EVENTS": str(EVENTS),
    "WRITER_INTERVAL": "1",
    "WRITER_MAX_AGE": "1",
    "WRITER_CHUNK": "300",
    "INGEST_PUSH_EVENTS": "250",
}
FAULTS = (
    (kill, "jetstream"),
    (kill, "data_writer"),
    (kill, "redis"),
    (stop, "data_writer"),
    (stop, "redis"),
    (pause, "jetstream"),
    (pause, "data_writer"),
    (pause, "redis"),
    (disconnect, "jetstream"),
    (disconnect, "data_writer"),
)


@pytest.mark.parametrize("seed", [1])
def test_faults_of_containers(stack: MakeStack, seed: int) -> None:
    rng = random.Random(seed)
    one = stack(SETTINGS, profiles=("demo",))
    one.up(*PIPELINE)
    for fault, service in rng.sample(FAULTS, len(FAULTS)):
        fault(one, service, rng)
        threading.Event().wait(rng.uniform(0.0, 1.5))
    wait_for(lambda: _committed(one), 120, f"{EVENTS} events are committed")
    for service in ("redis", "jetstream", "data_writer"):
        one.wait_healthy(service)
    staged = one.compose("exec", "-T", "data_writer", "find", "/archive/.state/staging", "-type", "f")
    assert staged.strip() == ""
    archive = one.archive()
    verdict = audit(archive, truth_of_demo(archive))
    assert verdict.passed, str(verdict)
    assert sum(found.truth for found in verdict.streams.values()) == EVENTS
    assert verdict.uncompared["gaps"] == 1, "only the archive's start"


def _committed(stack: Stack) -> bool:
    try:
        with client(stack) as server:
            return pushed(server) == EVENTS and waiting(server) == 0
    except redis.RedisError:
        return False
