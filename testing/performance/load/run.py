"""One run: start, load, wait for the last commit, stop, audit."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from testing.fakes.jetstream.client import send_command
from testing.harness.truth import traffic_of, truth_of_traffic
from testing.harness.waiting import wait_for
from testing.performance.load.plan import RunPlan
from testing.performance.load.result import Result, gaps_of, machine
from testing.performance.load.sample import Sampler
from testing.performance.load.swarm import Swarm
from testing.performance.load.target import BASE_RATE, INTERVAL_SECONDS
from testing.proof.audit import audit, count_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.performance.load.plan import Shape
    from testing.performance.load.sample import Sample
    from testing.performance.load.target import Target

START_SECONDS = 60.0
COMMIT_SECONDS = 330.0
"""Longer than any permitted recovery, so that a slow one is reported as a broken limit."""
EVENT_TIMEOUT_SECONDS = 60.0
PLANTS = 10
POLL_SECONDS = 0.2
MARGIN_EVENTS = 1 + int(2 * BASE_RATE)


class LoadError(Exception):
    """The run failed; the message names the cause."""


def run(  # noqa: PLR0913 - options of the run
    target: Target,
    shape: Shape,
    show: Callable[[list[Sample]], None],
    note: Callable[[str], None],
    *,
    processes: int = 1,
    web: bool = False,
    interval: float = INTERVAL_SECONDS,
) -> Result:
    """Load a target with a shape; raises LoadError. The result isn't judged here."""
    machine_info, began = machine(), time.strftime("%Y-%m-%d %H:%M")
    note("starting host, Redis, writer and ingester")
    with target:
        archive_path = None if target.readable_archive is None else str(target.readable_archive)
        table = str(target.folder / "locust")
        plan = RunPlan(target.control, target.redis_url, archive_path, shape, table, EVENT_TIMEOUT_SECONDS)
        swarm = Swarm(target.folder, plan, processes, web)
        every = max(1.0, shape.seconds / 3600)
        try:
            with Sampler(target, swarm.pids, every, show) as sampler:
                swarm.start()
                loaded, planted = _load(target.control, shape, swarm, sampler)
                note("the load has ended; waiting for the last commit")
                status = stop_traffic([target.control], MARGIN_EVENTS)
                wait_committed(status, sampler)
                (target.folder / "host.json").write_text(json.dumps(status), encoding="utf-8")
        finally:
            swarm.end()
        settings = target.settings
        note("stopping ingester and writer")
        codes = target.stop()
        archive = target.archive()
    traffic = traffic_of(status)
    note(f"the audit: {traffic.total:,} generated events against the rows of the archive")
    notes = (
        [] if archive_path else ["no ReaderUser: the archive cannot be read from here while it is written"]
    )
    return Result(
        shape,
        target.name,
        target.folder,
        sampler.samples,
        loaded,
        swarm.rows(),
        audit(archive, truth_of_traffic(traffic, planted)),
        len(planted),
        count_rows(archive, "rejects"),
        gaps_of(archive),
        codes,
        machine_info,
        settings,
        interval,
        began,
        notes,
    )


def _load(
    control: str, shape: Shape, swarm: Swarm, sampler: Sampler
) -> tuple[tuple[float, float], list[bytes]]:
    """Wait for the end of the shape while planting frames that are no events; rechanges its begin and end."""
    planted: list[bytes] = []
    wait_for(lambda: not swarm.runs() or _is_driven(control), START_SECONDS, "Locust to drive the host")
    if not swarm.runs():
        raise LoadError(f"Locust ended by itself:\n{swarm.last_output()}")
    began, ended = sampler.now(), 0.0
    deadline = time.monotonic() + shape.seconds + EVENT_TIMEOUT_SECONDS + START_SECONDS
    while swarm.runs():
        _require_sampler(sampler)
        into = sampler.now() - began
        if len(planted) < PLANTS and into >= shape.seconds * (len(planted) + 1) / (PLANTS + 1) and not ended:
            planted.append(b"no event, number %d" % len(planted))
            send_command(control, "plant", payload=base64.b64encode(planted[-1]).decode())
        if not ended and into > min(5.0, shape.seconds / 2) and not _is_driven(control):
            # At once: after thousands a second, the base rate would be reported as silent collections.
            ended = sampler.now()
            stop_traffic([control], MARGIN_EVENTS)
        if time.monotonic() > deadline:
            raise LoadError(f"Locust did not end in time:\n{swarm.last_output()}")
        threading.Event().wait(POLL_SECONDS)
    return (began, ended or sampler.now()), planted


def stop_traffic(controls: list[str], margin: int) -> dict[str, Any]:
    """End the traffic of hosts `margin` events after the newest one; rechanges the first host's status.

    The margin covers events that are made between the query and the command.
    """
    status = send_command(controls[0], "status")
    if status["source"]["total"] is not None:
        return status
    total = status["tip"] + margin
    first, *_ = [send_command(control, "end", total=total) for control in controls]
    return first


def wait_committed(status: dict[str, Any], sampler: Sampler) -> None:
    """Wait until all events of hosts without traffic are committed, at most COMMIT_SECONDS."""
    total = status["source"]["total"]

    def committed() -> bool:
        _require_sampler(sampler)
        last = sampler.samples[-1]
        unaccounted = [value for name, value in last.items() if name.startswith("archive_unaccounted_events")]
        return last.get("pushed") == total and last.get("waiting") == 0 and not any(unaccounted)

    # The audit and the limits report what is missing in the end.
    with contextlib.suppress(TimeoutError):
        wait_for(committed, COMMIT_SECONDS, "everything committed")


def _require_sampler(sampler: Sampler) -> None:
    if sampler.has_failed:
        raise LoadError("the sampler failed; see its traceback above")


def _is_driven(control: str) -> bool:
    changes = send_command(control, "status")["source"]["changes"]
    return bool(changes) and changes[-1][2] > BASE_RATE * 1000
