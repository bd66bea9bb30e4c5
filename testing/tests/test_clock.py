"""With a clock that is wrong, jumps, or has another time zone, event time decides and nothing is lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.shared.event import Stream
from testing.harness.clock import NoClockError, WrongClock
from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.daemons import Daemon
    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

EVENTS = 6_000
RATE = 750
HOUR = 3600
STEPS = (20 * HOUR, -3 * HOUR, 0, -50 * HOUR, 7 * HOUR, -400 * 24 * HOUR)
"""Seconds off; none so far ahead that the events seem older than a host's look-back."""
NEW_YEAR_US = 1_798_761_600_000_000
"""2027-01-01T00:00:00Z."""


@pytest.mark.parametrize(("kind", "zone"), [("v1", "America/St_Johns"), ("v2", "Pacific/Kiritimati")])
def test_a_clock_that_jumps_in_another_zone(
    pipeline: Pipelines, tmp_path: Path, kind: str, zone: str
) -> None:
    """The events pass the end of a year in UTC while the clock jumps."""
    clock = WrongClock(tmp_path / "clock", zone)
    clock.step(0)
    try:
        settings = clock.settings()
    except NoClockError as error:
        missing(str(error))
    host = Host({"rate": str(RATE), "events": str(EVENTS), "kind": kind})
    host.first_us, host.started = NEW_YEAR_US - 4_000_000, time.time()
    small = {"WRITER_INTERVAL": "0.5", "WRITER_MAX_AGE": "0.5", "WRITER_CHUNK": "300"}
    running = pipeline(host, ingest={"INGEST_PUSH_EVENTS": "250"}, write=small, common=settings)
    running.start()
    for step, off in enumerate(STEPS):
        clock.step(off)
        if step % 2:
            # A daemon started now knows only the wrong time.
            running.ingester.kill()
            running.writer.kill()
            running.ingester.start()
            running.writer.start()
        for daemon, event in ((running.writer, "commit.done"), (running.ingester, "receive.connected")):
            if event == "commit.done" or step % 2:
                wait_for(lambda: _logged_at(daemon, event, off), 60, f"{event} {off} s off")  # noqa: B023
    running.wait_pushed(EVENTS, 60)
    running.wait_committed(60)
    for daemon in (running.ingester, running.writer):
        assert daemon.stop() == 0, f"see {daemon.log}"
    verdict = audit(running.root, truth_of(host))
    assert verdict.passed, str(verdict)
    assert verdict.uncompared["gaps"] == 1, "only the archive's start"
    assert _hours(running.root) == {(2026, 12, 31, 23), (2027, 1, 1, 0)}


def _logged_at(daemon: Daemon, event: str, off: float) -> bool:
    """Whether a daemon with a clock that is `off` seconds wrong logged an event just now."""
    now = time.time() + off
    return any(
        abs(datetime.fromisoformat(line["timestamp"]).timestamp() - now) < HOUR / 2
        for line in daemon.logged(event)
    )


def _hours(root: Path) -> set[tuple[int, int, int, int]]:
    """Return the hours in the names of folders; checks that each row is in the hour of its time_us."""
    found = set()
    for stream in Stream:
        if stream in (Stream.REJECTS, Stream.GAPS) or not (root / "raw" / stream).exists():
            continue
        rows = duckdb.execute(
            "SELECT DISTINCT year::INT, month::INT, day::INT, hour::INT, time_us // 3600000000 "
            "FROM read_parquet(?, hive_partitioning = true)",
            [f"{root}/raw/{stream}/**/*.parquet"],
        ).fetchall()
        for year, month, day, hour, since_1970 in rows:
            hour_start = datetime.fromtimestamp(since_1970 * HOUR, UTC)
            assert (hour_start.year, hour_start.month, hour_start.day, hour_start.hour) == (
                year,
                month,
                day,
                hour,
            )
            found.add((year, month, day, hour))
    return found
