"""A hole that a host's look-back tore is filled from another host: every event once, and on record."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from services.tools.repair.tests.tearing import (
    cursor,
    let_pass,
    pushes,
    reasons,
    restart,
    settle,
    time_us,
    twin,
    wait_recorded,
)
from services.tools.tests.running import run, started
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

RATE, TOTAL = 50, 19_500
TRIES = 5
TRAFFIC = {"rate": str(RATE), "events": str(TOTAL), "backlog": "40"}


@pytest.fixture
def torn(pipeline: Pipelines) -> Iterator[tuple[Pipeline, Host]]:
    """Give a running archive with a hole of some 140 s, and a host that still has what is in it."""
    source = Host(dict(TRAFFIC))
    source.start()
    other = twin(source, **{"offset-us": "250000"})
    running = pipeline(source)
    try:
        with running:
            running.wait_pushed(RATE * 38, 60)
            running.ingester.kill()
            restart(source, "60")
            let_pass(200, source, other)
            running.ingester.start()
            wait_for(lambda: running.pushed().get("gaps:pushed", 0) > 1, 30, "a hole on record")
            restart(source, "3600")
            # A clock starts anew with its host.
            let_pass(300, source)
            let_pass(100, other)
            # A repair leaves to the ingester what it may still read: the last minute.
            well_behind_us = source.first_us + 260_000_000
            wait_for(lambda: time_us(running) > well_behind_us, 60, "a cursor well behind the hole")
            yield running, other
    finally:
        other.stop()


def repaired(running: Pipeline, other: Host) -> str:
    """Repair, and again while the ingester still reads next to the hole, as a person would; what was said."""
    said = ""
    for _ in range(TRIES):
        wait_for(lambda: b"windows" not in cursor(running), 180, "no window left to read")
        code, more = run(running, "repair", "--gaps", "--host", other.address)
        assert code == 0, more
        said += more
        if "nothing to repair" in more:
            return said
    raise AssertionError(said)


def test_after_a_repair_every_event_is_there_once_and_the_ledger_closes(torn: tuple[Pipeline, Host]) -> None:
    running, other = torn
    assert "repaired: " in repaired(running, other)
    assert set(settle(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.faults == 0, verdict
    assert list(dict.fromkeys(reasons(running))) == ["cursor_too_old", "repaired"]
    code, said = run(running, "gaps", "--json")
    assert (code, json.loads(said)["gaps"]) == (0, []), said
    code, said = run(running, "repair", "--gaps", "--host", other.address)
    assert (code, "nothing to repair" in said) == (0, True), said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_repair_that_is_ended_is_done_again_without_doubling(
    torn: tuple[Pipeline, Host], number: signal.Signals
) -> None:
    running, other = torn
    broken = started(running, "repair", "--gaps", "--host", other.address, INGEST_PUSH_EVENTS="200")
    wait_for(lambda: pushes(running) > 3, 60, "a part of the hole pushed")
    broken.send_signal(number)
    _, told = broken.communicate()
    if number is signal.SIGINT:
        assert (broken.returncode, "run the same command again" in told) == (130, True), told
    repaired(running, other)
    assert set(settle(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.faults == 0, verdict


def test_a_redis_that_is_killed_meanwhile_neither_loses_nor_doubles(torn: tuple[Pipeline, Host]) -> None:
    running, other = torn
    going = started(running, "repair", "--gaps", "--host", other.address, INGEST_PUSH_EVENTS="200")
    wait_for(lambda: pushes(running) > 3, 60, "a part of the hole pushed")
    running.redis.kill()
    running.redis.start()
    with going:
        out, said = going.communicate(timeout=120)
    assert going.returncode == 0, out + said
    repaired(running, other)
    assert set(settle(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.faults == 0, verdict


def test_what_no_host_keeps_is_said_exactly(torn: tuple[Pipeline, Host]) -> None:
    running, other = torn
    restart(other, "5")
    let_pass(300, other)
    code, said = run(running, "repair", "--gaps", "--host", other.address)
    assert code == 1, said
    assert "cannot be had: " in said
    wait_recorded(running)
    assert "repaired" not in reasons(running)
