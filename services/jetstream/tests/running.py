"""A fake host, and the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from testing.harness.host import Host
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


def host(events: int = 6000, rate: int = 1500, **options: str) -> Host:
    """Return a host with two seconds of events before the start, so that a replay comes first."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Host({"rate": str(rate), "events": str(events), "backlog": "2", **named})


def finish(pipeline: Pipeline, events: int, seconds: float = 60.0) -> None:
    """Wait until all events are committed, then stop the ingester and the writer."""
    pipeline.wait_pushed(events, seconds)
    pipeline.wait_committed(seconds)
    assert pipeline.ingester.stop() == 0
    assert pipeline.writer.stop() == 0


def hang_up(fake: Host, code: int) -> None:
    """Close an open connection; wait for one if there is none."""
    before = fake.status()["fired"].get("hang_up", 0)
    wait_for(
        lambda: fake.send("hang_up", code=code)["fired"].get("hang_up", 0) > before,
        30,
        f"hung up with {code}",
    )


def gaps(root: Path) -> list[tuple[str, int, int]]:
    """Return the gap rows without that of the archive start: reason, from, to."""
    query = "SELECT reason, from_us, to_us FROM read_parquet(?) WHERE reason <> 'archive_start' ORDER BY 2"
    return duckdb.execute(query, [f"{root}/raw/gaps/**/*.parquet"]).fetchall()
