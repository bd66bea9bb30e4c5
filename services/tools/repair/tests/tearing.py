"""Makes a gap in a running archive, and reads what the tests compare afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb

from testing.harness.host import Host
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from testing.harness.pipeline import Pipeline


def twin(of: Host, **options: str) -> Host:
    """Start a host that sends the same traffic at the same pace."""
    other = Host({**of.options, **options}, first_us=of.first_us, started=of.started)
    other.start()
    return other


def let_pass(seconds: float, *hosts: Host) -> None:
    for host in hosts:
        host.send("advance", seconds=seconds)


def restart(host: Host, look_back: str) -> None:
    host.stop()
    host.options["look-back"] = look_back
    host.start()


def pushes(running: Pipeline) -> int:
    """Return the number of pushes of a repair."""
    with running.tools() as tools:
        return int(bytes(tools.get("archive:operator_push") or b" 0").split()[-1])


def cursor(running: Pipeline) -> bytes:
    with running.tools() as tools:
        return bytes(tools.get("archive:cursor"))


def time_us(running: Pipeline) -> int:
    return int(json.loads(cursor(running))["time_us"])


def windows(running: Pipeline) -> list[object]:
    """Return the windows that the ingester still has to read again."""
    found: list[object] = json.loads(cursor(running)).get("windows", [])
    return found


def close_hours(running: Pipeline, total: int, rest_seconds: float = 200) -> dict[str, float]:
    """Let the traffic end and be committed; return the writer's unaccounted events."""
    let_pass(rest_seconds, *running.hosts)
    running.wait_pushed(total, 90)
    running.wait_committed(30)
    wait_for(
        lambda: (
            running.writer.total("archive_unaccounted_events") == 0
            and any("unaccounted" in name for name in running.writer.metrics())
        ),
        30,
        "the ledger closed",
    )
    return {name: value for name, value in running.writer.metrics().items() if "unaccounted" in name}


def wait_recorded(running: Pipeline) -> None:
    """Wait until every row of `gaps` is in the archive; other events may still be pushed."""

    def all_in() -> bool:
        with running.tools() as tools:
            # Buffer first, then claims, as events move: what left the buffer is in a claim, or committed.
            return not tools.exists("archive:buffer:gaps") and not [*tools.scan_iter("archive:claim:gaps:*")]

    wait_for(all_in, 30, "all rows of gaps committed")


def reasons(running: Pipeline) -> list[str]:
    asked = "SELECT reason FROM read_parquet(?) WHERE reason <> 'archive_start' ORDER BY received_at"
    return [
        reason for (reason,) in duckdb.execute(asked, [f"{running.root}/raw/gaps/**/*.parquet"]).fetchall()
    ]
