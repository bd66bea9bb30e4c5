"""Hosts that drop, renumber or misdate: every event is in the archive, once, or the hole is on record."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import duckdb

from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

JETSTREAM = ["posts", "likes", "reposts", "follows", "records", "identities", "accounts"]
Identity = tuple[str, ...]


def identities(frames: list[bytes]) -> Counter[Identity]:
    """Count events by what they are, whatever time or number a host gave them."""
    found: Counter[Identity] = Counter()
    for frame in frames:
        told = json.loads(frame)
        kind = told["kind"]
        inner = told[kind]
        names = ("rev", "collection", "rkey", "operation") if kind == "commit" else ("seq",)
        found[(told["did"], kind, *(str(inner[name]) for name in names))] += 1
    return found


def archived(running: Pipeline) -> Counter[Identity]:
    """Count the archive's events in the same way."""
    found: Counter[Identity] = Counter()
    for stream in JETSTREAM:
        files = f"{running.root}/raw/{stream}/**/*.parquet"
        if not list(running.root.glob(f"raw/{stream}/**/*.parquet")):
            continue
        if stream in ("identities", "accounts"):
            kind = {"identities": "identity", "accounts": "account"}[stream]
            rows = duckdb.execute("SELECT did, ?, relay_seq FROM read_parquet(?)", [kind, files])
        else:
            rows = duckdb.execute(
                "SELECT did, 'commit', rev, collection, rkey, operation FROM read_parquet(?)", [files]
            )
        found.update(tuple(map(str, row)) for row in rows.fetchall())
    return found


def gaps(running: Pipeline) -> list[str]:
    asked = "SELECT reason FROM read_parquet(?) WHERE reason <> 'archive_start' ORDER BY from_us"
    return [
        reason for (reason,) in duckdb.execute(asked, [f"{running.root}/raw/gaps/**/*.parquet"]).fetchall()
    ]


def finish(running: Pipeline, events: int) -> None:
    running.wait_pushed(events, 60)
    running.wait_committed(30)
    assert running.ingester.stop() == 0
    assert running.writer.stop() == 0


def everything(source: Host) -> Counter[Identity]:
    return identities([frame for _, frame in truth_of(source)])


def test_what_a_v1_host_drops_at_its_cutover_is_read_once_more(pipeline: Pipelines) -> None:
    # So many that events still come when the window has passed, also on a machine that is slow to start.
    total = 9000
    source = Host({"rate": "200", "events": str(total), "backlog": "8"})
    source.start()
    source.send("cutover", drop=0.5, late=0.3)
    with pipeline(source) as running:
        wait_for(lambda: source.status()["fired"].get("cutover_dropped"), 20, "events dropped at the cutover")
        running.wait_pushed(total, 60)
        finish(running, total)
        assert source.status()["fired"]["cutover_late"] > 0
        with running.tools() as tools:
            cursor = json.loads(tools.get("archive:cursor"))
        assert "windows" not in cursor, "read through, so struck off"
    assert archived(running) == everything(source)
    assert gaps(running) == []


def test_a_v1_clock_that_steps_back_while_we_are_away_loses_nothing(pipeline: Pipelines) -> None:
    # Long enough that events still come when it is connected again: only they show the host's clock.
    total = 7500
    source = Host({"rate": "500", "events": str(total), "backlog": "2"})
    with pipeline(source) as running:
        running.wait_pushed(1200, 30)
        source.send("refuse", connects=3)
        source.send("hang_up", code=1006)
        source.send("rewind", seconds=90)
        finish(running, total)
    ends = [line["reason"] for line in running.ingester.logged("receive.disconnected")]
    assert "stepped_back" in ends
    assert archived(running) == everything(source)
    assert gaps(running) == []


def test_a_v2_host_that_numbers_anew_is_noticed_on_record_and_read_by_time(pipeline: Pipelines) -> None:
    total = 3000
    source = Host({"kind": "v2", "rate": "500", "events": str(total), "backlog": "2", "first-seq": "50000"})
    with pipeline(source) as running:
        running.wait_pushed(1200, 30)
        source.send("change_namespace", first_seq=7, offset_us=300_000)
        finish(running, total)
    ends = [line["reason"] for line in running.ingester.logged("receive.disconnected")]
    assert "another_server" in ends
    assert archived(running) == everything(source)
    assert gaps(running) == ["host_changed"]
