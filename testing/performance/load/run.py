"""One run: start, load, let it settle, stop, audit."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb

from testing.harness.truth import traffic_of, truth_of_traffic
from testing.harness.waiting import wait_for
from testing.performance.load.asking import told
from testing.performance.load.machine import machine
from testing.performance.load.place import Place
from testing.performance.load.result import Result
from testing.performance.load.sample import Sampler
from testing.performance.load.swarm import Swarm
from testing.performance.load.target import BASE_RATE, INTERVAL_SECONDS
from testing.proof.audit import audit
from testing.proof.audit.rebuild import count_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.performance.load.plan import Shape
    from testing.performance.load.sample import Sample
    from testing.performance.load.target import Target

START_SECONDS = 60.0
SETTLE_SECONDS = 330.0
"""Longer than any recovery may take, so that a broken limit is told as such."""
PATIENCE_SECONDS = 60.0
PLANTS = 10
POLL_SECONDS = 0.2
MARGIN_EVENTS = 1 + int(2 * BASE_RATE)


class LoadError(Exception):
    """The run did not come about; the message says where to look."""


def run(  # noqa: PLR0913 - each says one thing about the run
    target: Target,
    shape: Shape,
    tell: Callable[[list[Sample]], None],
    say: Callable[[str], None],
    *,
    processes: int = 1,
    web: bool = False,
    interval: float = INTERVAL_SECONDS,
) -> Result:
    """Load a target with a shape, and judge nothing; raises LoadError. Bounded by the shape's length."""
    surroundings, began = machine(), time.strftime("%Y-%m-%d %H:%M")
    say("starting host, Redis, writer and ingester")
    with target:
        fresh = None if target.fresh is None else str(target.fresh)
        table = str(target.folder / "locust")
        place = Place(target.control, target.redis_url, fresh, shape, table, PATIENCE_SECONDS)
        swarm = Swarm(target.folder, place, processes, web)
        every = max(1.0, shape.seconds / 3600)
        try:
            with Sampler(target, swarm.pids, every, tell) as sampler:
                swarm.start()
                loaded, planted = _load(target.control, shape, swarm, sampler)
                say("the load is over; waiting until all of it is committed")
                status = hush([target.control], MARGIN_EVENTS)
                settle(status, sampler)
                (target.folder / "host.json").write_text(json.dumps(status), encoding="utf-8")
        finally:
            swarm.end()
        settings = target.settings
        say("stopping ingester and writer in order")
        codes = target.stop()
        archive = target.archive()
    traffic = traffic_of(status)
    say(f"the audit: {traffic.total:,} events from the seed against the rows of the archive")
    notes = [] if fresh else ["no ReaderUser: the archive cannot be read from here while it is written"]
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
        surroundings,
        settings,
        interval,
        began,
        notes,
    )


def gaps_of(archive: Path) -> list[tuple[str, float]]:
    """Return every row of `gaps`: reason and length in seconds."""
    parts = [str(part) for part in (archive / "raw" / "gaps").rglob("*.parquet")]
    if not parts:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT reason, (to_us - from_us) / 1e6 FROM read_parquet(?) ORDER BY from_us", [parts]
        ).fetchall()
    return [(str(reason), float(seconds)) for reason, seconds in rows]


def _load(
    control: str, shape: Shape, swarm: Swarm, sampler: Sampler
) -> tuple[tuple[float, float], list[bytes]]:
    """Wait out the shape, planting frames that are no events; returns when it began and ended."""
    planted: list[bytes] = []
    wait_for(lambda: not swarm.runs() or _is_driven(control), START_SECONDS, "Locust to drive the host")
    if not swarm.runs():
        raise LoadError(f"Locust ended by itself:\n{swarm.said()}")
    began, ended = sampler.now(), 0.0
    deadline = time.monotonic() + shape.seconds + PATIENCE_SECONDS + START_SECONDS
    while swarm.runs():
        _refuse_blind(sampler)
        into = sampler.now() - began
        if len(planted) < PLANTS and into >= shape.seconds * (len(planted) + 1) / (PLANTS + 1) and not ended:
            planted.append(b"no event, number %d" % len(planted))
            told(control, "plant", payload=base64.b64encode(planted[-1]).decode())
        if not ended and into > min(5.0, shape.seconds / 2) and not _is_driven(control):
            # At once: at the base rate, after thousands a second, most collections would be missed.
            ended = sampler.now()
            hush([control], MARGIN_EVENTS)
        if time.monotonic() > deadline:
            raise LoadError(f"Locust did not end in time:\n{swarm.said()}")
        threading.Event().wait(POLL_SECONDS)
    return (began, ended or sampler.now()), planted


def hush(controls: list[str], margin: int) -> dict[str, Any]:
    """Let hosts fall silent so many events after the newest, if they have not yet; the first one's status.

    After it, because an event that came to be between our question and our order would belong to no truth.
    """
    status = told(controls[0], "status")
    if status["source"]["total"] is not None:
        return status
    total = status["tip"] + margin
    first, *_ = [told(control, "end", total=total) for control in controls]
    return first


def settle(status: dict[str, Any], sampler: Sampler) -> None:
    """Wait until all that silent hosts told is committed, or for long enough."""
    total = status["source"]["total"]

    def settled() -> bool:
        _refuse_blind(sampler)
        last = sampler.samples[-1]
        unaccounted = [value for name, value in last.items() if name.startswith("archive_unaccounted_events")]
        return last.get("pushed") == total and last.get("waiting") == 0 and not any(unaccounted)

    # What is missing in the end is what the audit and the limits tell.
    with contextlib.suppress(TimeoutError):
        wait_for(settled, SETTLE_SECONDS, "everything committed")


def _refuse_blind(sampler: Sampler) -> None:
    if sampler.has_failed:
        raise LoadError("the sampler ended by itself; see its words above")


def _is_driven(control: str) -> bool:
    changes = told(control, "status")["source"]["changes"]
    return bool(changes) and changes[-1][2] > BASE_RATE * 1000
