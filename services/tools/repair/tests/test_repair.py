"""A gap older than a host's look-back is repaired from another host: every event once, and recorded."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from services.tools.repair.tests.tearing import (
    close_hours,
    cursor,
    let_pass,
    pushes,
    reasons,
    restart,
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
    """Give a running archive with a gap of some 140 s, and a host that still has its events."""
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
            # A host's clock starts anew with the host.
            let_pass(300, source)
            let_pass(100, other)
            # A repair leaves the last minute before the cursor to the ingester.
            well_behind_us = source.first_us + 260_000_000
            wait_for(lambda: time_us(running) > well_behind_us, 60, "a cursor well behind the hole")
            yield running, other
    finally:
        other.stop()


def repaired(running: Pipeline, other: Host) -> str:
    """Repair until nothing is left to repair, as a user would; return the output."""
    output = ""
    for _ in range(TRIES):
        wait_for(lambda: b"windows" not in cursor(running), 180, "no window left to read")
        code, more = run(running, "repair", "--gaps", "--host", other.address)
        assert code == 0, more
        output += more
        if "nothing to repair" in more:
            return output
    raise AssertionError(output)


def test_after_a_repair_every_event_is_stored_once_and_the_ledger_is_at_0(
    torn: tuple[Pipeline, Host],
) -> None:
    running, other = torn
    assert "repaired: " in repaired(running, other)
    assert set(close_hours(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.errors == 0, verdict
    assert list(dict.fromkeys(reasons(running))) == ["cursor_too_old", "repaired"]
    code, output = run(running, "gaps", "--json")
    assert (code, json.loads(output)["gaps"]) == (0, []), output
    code, output = run(running, "repair", "--gaps", "--host", other.address)
    assert (code, "nothing to repair" in output) == (0, True), output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_repair_that_was_ended_is_repeated_without_duplicates(
    torn: tuple[Pipeline, Host], number: signal.Signals
) -> None:
    running, other = torn
    broken = started(running, "repair", "--gaps", "--host", other.address, INGEST_PUSH_EVENTS="200")
    wait_for(lambda: pushes(running) > 3, 60, "a part of the hole pushed")
    broken.send_signal(number)
    _, reported = broken.communicate()
    if number is signal.SIGINT:
        assert (broken.returncode, "run the same command again" in reported) == (130, True), reported
    repaired(running, other)
    assert set(close_hours(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.errors == 0, verdict


def test_killing_redis_during_a_repair_neither_loses_nor_duplicates_events(
    torn: tuple[Pipeline, Host],
) -> None:
    running, other = torn
    going = started(running, "repair", "--gaps", "--host", other.address, INGEST_PUSH_EVENTS="200")
    wait_for(lambda: pushes(running) > 3, 60, "a part of the hole pushed")
    running.redis.kill()
    running.redis.start()
    with going:
        out, output = going.communicate(timeout=120)
    assert going.returncode == 0, out + output
    repaired(running, other)
    assert set(close_hours(running, TOTAL).values()) == {0.0}
    verdict = audit(running.root, truth_of(running.hosts[0], other))
    assert verdict.errors == 0, verdict


def test_intervals_that_no_host_keeps_are_reported_as_unavailable(torn: tuple[Pipeline, Host]) -> None:
    running, other = torn
    restart(other, "5")
    let_pass(300, other)
    code, output = run(running, "repair", "--gaps", "--host", other.address)
    assert code == 1, output
    assert "unavailable: " in output
    wait_recorded(running)
    assert "repaired" not in reasons(running)
