"""Deletions applied by real processes that are killed anywhere: the report is exact."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.archive.paths import HOUR_US
from services.compactor.tests.archives import BORDER_US, put
from services.compactor.tests.conftest import running
from services.compactor.tests.deleting import account
from services.compactor.tests.test_compactor import (
    ONCE,
    StreamFrame,
    compact,
    feed,
    is_merged,
    is_merged_but_gaps,
    posts_and_likes,
    remaining,
    wait_accounted,
)
from services.shared.crash_points import CrashPoint
from services.tools.tests.running import run
from testing.events.names import tid
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

__all__ = ["running"]


def deleted(event: StreamFrame, at_us: int) -> StreamFrame:
    """Return the deletion of the record that an event is about."""
    stream, frame = event
    made = json.loads(frame)
    commit = {name: made["commit"][name] for name in ("collection", "rkey")}
    body = {"did": made["did"], "time_us": at_us, "kind": "commit"}
    return stream, json.dumps(
        {**body, "commit": {"rev": tid(at_us, 1), "operation": "delete", **commit}}
    ).encode()


def deletions(events: list[StreamFrame]) -> tuple[list[StreamFrame], list[StreamFrame]]:
    """Return later deletions of some records and one account, and the events that are left."""
    later = BORDER_US + 5 * HOUR_US
    chosen = [event for event in events[::9] if json.loads(event[1])["commit"]["operation"] == "create"]
    gone = json.loads(events[1][1])["did"]
    more = [deleted(event, later + number) for number, event in enumerate(chosen)]
    more.append(account(gone, later + HOUR_US // 2, "deleted"))
    revs: dict[tuple[str, ...], str] = {}
    every = [*events, *more]
    for _, frame in every:
        key, operation, rev = _commit(frame)
        if operation == "delete":
            revs[key] = max(rev, revs.get(key, ""))
    kept = []
    for stream, frame in every:
        key, operation, rev = _commit(frame)
        is_old = key[0] == gone and json.loads(frame)["time_us"] < later + HOUR_US // 2
        if not is_old and (operation in ("", "delete") or rev >= revs.get(key, "")):
            kept.append((stream, frame))
    assert len(every) - len(kept) > len(chosen) > 20
    return more, kept


def _commit(frame: bytes) -> tuple[tuple[str, ...], str, str]:
    made = json.loads(frame)
    commit = made.get("commit", {})
    key = (made["did"], commit.get("collection", ""), commit.get("rkey", ""))
    return key, commit.get("operation", ""), commit.get("rev", "")


def reported(running: Pipeline) -> int:
    """Return the number of rows that `archive deletions` reports."""
    code, output = run(running, "deletions", "--json")
    assert code == 0, output
    removed = json.loads(output)["removed"]
    assert len({(one["stream"], one["hour"], one["name"]) for one in removed}) == len(removed)
    rows = Counter(stream for one in removed for stream in [one["stream"]] * sum(one["rows"].values()))
    return rows.total()


POINTS = (
    CrashPoint.COMPACT_COLLECTED,
    CrashPoint.SWAP_REPLACED,
    CrashPoint.SWAP_REWRITE_NOTED,
    CrashPoint.COMPACT_DELETIONS_NOTED,
)
"""Where the report of deletions could go wrong; test_compactor kills at the other points of a swap."""


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_deletions_are_applied_again_and_reported_once(
    running: Pipeline, point: CrashPoint
) -> None:
    events = posts_and_likes(600, hours=2)
    more, kept = deletions(events)
    put(running.root, [*events, *more])
    assert compact(running, *ONCE) == 0
    running.compactor.settings["COMPACT_APPLY_DELETIONS"] = "all"
    running.compactor.starter = ("testing.proof.chaos.armed", point.value, "1")
    running.compactor.start(*ONCE)
    assert running.compactor.wait(120) == -signal.SIGKILL
    after_death = audit(running.root, kept)
    assert sum(stream.lost + stream.doubled for stream in after_death.streams.values()) == 0
    assert compact(running, *ONCE) == 0
    verdict = audit(running.root, kept)
    assert verdict.passed, str(verdict)
    assert is_merged(running.root)
    assert not remaining(running.root)
    assert reported(running) == len(events) + len(more) - len(kept)


def holds_just(root: Path, kept: list[StreamFrame]) -> bool:
    try:
        return audit(root, kept).passed
    except duckdb.IOException:
        # Files were swapped between their listing and their opening.
        return False


def test_beside_a_writer_the_ledger_is_at_0_and_snapshots_name_the_reason(running: Pipeline) -> None:
    events = posts_and_likes(600, hours=2)
    more, kept = deletions(events)
    running.writer.start()
    running.writer.wait_healthy()
    feed(running, events, BORDER_US + 3 * HOUR_US)
    running.wait_committed(60)
    settings = {"COMPACT_APPLY_DELETIONS": "all", "COMPACT_DELETIONS_EVERY_HOURS": "0"}
    running.compactor.settings |= settings
    running.compactor.start()
    wait_for(lambda: is_merged_but_gaps(running.root), 120, "all hours merged")
    wait_for(lambda: run(running, "snapshot", "paper")[0] == 0, 60, "closed hours to cite")
    feed(running, more, BORDER_US + 8 * HOUR_US)
    running.wait_committed(60)
    wait_for(
        lambda: (
            running.compactor.total("archive_compact_deleted_total") >= len(events) + len(more) - len(kept)
        ),
        120,
        "the deletions to be applied",
    )
    wait_for(lambda: holds_just(running.root, kept), 60, "only what is left")
    wait_accounted(running)
    running.writer.kill()
    running.writer.start()
    wait_accounted(running)
    assert running.compactor.stop() == 0
    assert reported(running) == len(events) + len(more) - len(kept)
    code, output = run(running, "snapshot", "verify", "paper", "--json")
    verified = json.loads(output)
    assert (code, verified["wrong"]) == (1, {})
    assert verified["rewritten"]
    assert all(why.startswith("deletions: ") for why in verified["rewritten"].values())
    metrics = f"http://127.0.0.1:{running.writer.port}/metrics"
    code, output = run(running, "verify", TOOLS_METRICS_URL=metrics)
    assert code == 0, output
