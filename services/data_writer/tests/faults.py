"""Faults around a writer: each function causes one and asserts that no event was lost."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from services.data_writer.tests.feeding import push, traffic
from testing.harness.fixtures import missing
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


def redis_stopped(writer: Pipeline) -> None:
    events = traffic(4000)
    push(writer, events[:2000])
    writer.writer.start()
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 2000, 30, "the first half committed")
    writer.redis.kill()
    wait_for(lambda: writer.writer.logged("retry"), 30, "a retry")
    assert wait_for(lambda: writer.writer.health()[0] == 503 and writer.writer.health(), 30, "unhealthy")
    writer.redis.start()
    push(writer, events[2000:])
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 4000, 60, "the rest committed")
    writer.writer.wait_healthy()
    assert writer.writer.stop() == 0
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def loading(writer: Pipeline) -> None:
    """Let Redis answer LOADING for a while."""
    events = traffic(20_000)
    push(writer, events)
    with writer.tools() as tools:
        # Each key takes half a second to load: together longer than a writer takes to start.
        tools.mset({f"filler:{number}": os.urandom(2048) for number in range(100)})
        tools.bgrewriteaof()
        wait_for(lambda: not tools.info("persistence")["aof_rewrite_in_progress"], 30, "AOF rewritten")
    writer.redis.stop()
    writer.redis.settings |= {"key-load-delay": "500000", "loading-process-events-interval-bytes": "1024"}
    writer.redis.start(wait=False)
    writer.writer.start()
    wait_for(
        lambda: any("loading" in line["error"].lower() for line in writer.writer.logged("retry")),
        60,
        "a retry while loading",
    )
    with writer.tools() as tools:
        tools.config_set("key-load-delay", 0)
    wait_for(
        lambda: writer.writer.total("archive_commit_rows_total") >= len(events), 90, "everything committed"
    )
    assert audit(writer.root, events).passed


def readonly(writer: Pipeline) -> None:
    events = traffic(2000)
    push(writer, events)
    with writer.tools() as tools:
        tools.replicaof("127.0.0.1", 1)
        writer.writer.start()
        wait_for(
            lambda: any("read only replica" in line["error"] for line in writer.writer.logged("retry")),
            30,
            "a READONLY reply",
        )
        tools.replicaof("NO", "ONE")
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 2000, 60, "everything committed")
    assert audit(writer.root, events).passed


def full(writer: Pipeline) -> None:
    """Fill Redis: the writer still claims and acknowledges, which frees memory."""
    writer.write_once()
    events = traffic(20_000)
    push(writer, events)
    with writer.tools() as tools:
        tools.config_set("maxmemory", str(int(tools.info("memory")["used_memory"]) // 2))
        with pytest.raises(Exception, match="maxmemory"):
            tools.set("one", "more")
        writer.write_once()
        assert writer.waiting() == 0
        tools.set("one", "more")
    assert audit(writer.root, events).passed


def disk_full(writer: Pipeline) -> None:
    """Fill the disk: nothing is acknowledged or left staged, and writing continues once there is room."""
    small = writer.root
    small.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        missing(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        events = traffic(30_000)
        push(writer, events)
        writer.writer.start()
        wait_for(
            lambda: any("No space left" in line["error"] for line in writer.writer.logged("retry")),
            60,
            "a full disk",
        )
        held = writer.waiting()
        assert held > 0
        assert [path for path in (small / ".state/staging").rglob("*") if path.is_file()] == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        wait_for(
            lambda: writer.writer.total("archive_commit_rows_total") >= len(events), 90, "the rest committed"
        )
        assert writer.writer.stop() == 0
        verdict = audit(small, events)
        assert verdict.passed, str(verdict)
    finally:
        writer.writer.kill()
        subprocess.run(["umount", str(small)], check=True)


FAULTS = (redis_stopped, loading, readonly, full, disk_full)
