"""Hosts that drop, renumber or misdate events: each is archived once, or the gap is recorded."""

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
    """Count events by identity, whatever time or number a host gave them."""
    found: Counter[Identity] = Counter()
    for frame in frames:
        envelope = json.loads(frame)
        kind = envelope["kind"]
        inner = envelope[kind]
        names = ("rev", "collection", "rkey", "operation") if kind == "commit" else ("seq",)
        found[(envelope["did"], kind, *(str(inner[name]) for name in names))] += 1
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
    query = "SELECT reason FROM read_parquet(?) WHERE reason <> 'archive_start' ORDER BY from_us"
    return [
        reason for (reason,) in duckdb.execute(query, [f"{running.root}/raw/gaps/**/*.parquet"]).fetchall()
    ]


def finish(running: Pipeline, events: int) -> None:
    running.wait_pushed(events, 60)
    running.wait_committed(30)
    assert running.ingester.stop() == 0
    assert running.writer.stop() == 0


def everything(fake: Host) -> Counter[Identity]:
    return identities([frame for _, frame in truth_of(fake)])


def test_what_a_v1_host_drops_at_its_cutover_is_reread(pipeline: Pipelines) -> None:
    # Enough that events still arrive after the window, also on a machine that starts slowly.
    total = 9000
    fake = Host({"rate": "200", "events": str(total), "backlog": "8"})
    fake.start()
    fake.send("cutover", drop=0.5, late=0.3)
    with pipeline(fake) as running:
        wait_for(lambda: fake.status()["fired"].get("cutover_dropped"), 20, "events dropped at the cutover")
        running.wait_pushed(total, 60)
        finish(running, total)
        assert fake.status()["fired"]["cutover_late"] > 0
        with running.tools() as tools:
            cursor = json.loads(tools.get("archive:cursor"))
        assert "windows" not in cursor, "the re-read window is removed"
    assert archived(running) == everything(fake)
    assert gaps(running) == []


def test_a_v1_clock_that_steps_back_during_our_absence_loses_nothing(pipeline: Pipelines) -> None:
    # Enough that events still arrive after the reconnect: only they show the host's clock.
    total = 7500
    fake = Host({"rate": "500", "events": str(total), "backlog": "2"})
    with pipeline(fake) as running:
        running.wait_pushed(1200, 30)
        fake.send("refuse", connects=3)
        fake.send("hang_up", code=1006)
        fake.send("rewind", seconds=90)
        finish(running, total)
    ends = [line["reason"] for line in running.ingester.logged("receive.disconnected")]
    assert "stepped_back" in ends
    assert archived(running) == everything(fake)
    assert gaps(running) == []


def test_a_v2_host_with_new_numbers_leaves_a_gap_row_and_is_read_by_time(pipeline: Pipelines) -> None:
    # Enough that events still arrive after the reconnect: only they show the new numbers.
    total = 7500
    fake = Host({"kind": "v2", "rate": "500", "events": str(total), "backlog": "2", "first-seq": "50000"})
    with pipeline(fake) as running:
        running.wait_pushed(1200, 30)
        fake.send("change_namespace", first_seq=7, offset_us=300_000)
        finish(running, total)
    ends = [line["reason"] for line in running.ingester.logged("receive.disconnected")]
    assert "another_server" in ends
    assert archived(running) == everything(fake)
    assert gaps(running) == ["host_changed"]
