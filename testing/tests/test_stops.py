"""Two writers at once, and processes that stop for longer than every timeout: each event is archived once."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from testing.harness.daemons import Daemon
from testing.harness.host import Host
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

EVENTS = 9_000
SECONDS = 90.0
FROZEN_SECONDS = 18.0
"""Longer than a wait for Redis (15 s), and than INGEST_IDLE_SECONDS here."""
SMALL = {"WRITER_INTERVAL": "0.5", "WRITER_MAX_AGE": "0.5", "WRITER_CHUNK": "200"}


def test_a_second_writer_refuses_to_start(pipeline: Pipelines, tmp_path: Path) -> None:
    running = _made(pipeline, rate=1500)
    running.start()
    wait_for(lambda: running.writer.logged("commit.done"), SECONDS, "a writer at work")
    second = Daemon("services.data_writer.main", dict(running.writer.settings), tmp_path / "second.log")
    for _ in range(2):
        second.start()
        assert second.wait() == 1
    assert len(second.logged("stop.broken")) == 2
    error = second.logged("stop.broken")[0]["error"]
    assert "another writer owns the stream posts" in error
    assert "WRITER_STREAMS" in error, "the error names the remedy"
    assert second.logged("commit.done") == []
    assert running.writer.is_alive
    running.assert_complete(EVENTS, SECONDS)


def test_writers_that_share_the_streams(pipeline: Pipelines, tmp_path: Path) -> None:
    """The split that the refusal suggests: the writers do not interfere, and nothing is written twice."""
    running = _made(pipeline, rate=1500)
    running.write["WRITER_STREAMS"] = "posts,reposts,follows,records,rejects"
    running.start()
    rest = {"WRITER_STREAMS": "likes,identities,accounts,gaps"}
    second = Daemon("services.data_writer.main", running.writer.settings | rest, tmp_path / "second.log")
    second.start()
    try:
        wait_for(lambda: second.logged("commit.done"), SECONDS, "commits of the second")
        running.wait_pushed(EVENTS, SECONDS)
        running.wait_committed(SECONDS)
        assert second.stop() == 0
    finally:
        if second.is_alive:
            second.kill()
    running.assert_complete(EVENTS, SECONDS)


@pytest.mark.parametrize("who", ["ingester", "writer", "redis"])
def test_a_process_that_is_stopped_for_long(pipeline: Pipelines, who: str) -> None:
    """SIGSTOP simulates a machine that hangs: every process recovers by itself."""
    running = _made(pipeline, rate=600)
    running.ingest["INGEST_IDLE_SECONDS"] = "5"
    running.start()
    wait_for(lambda: running.writer.logged("commit.done"), SECONDS, "a pipeline at work")
    processes = {
        "ingester": running.ingester.process,
        "writer": running.writer.process,
        "redis": running.redis.process,
    }
    victim = processes[who]
    assert victim is not None
    victim.send_signal(signal.SIGSTOP)
    threading.Event().wait(FROZEN_SECONDS)
    if who == "redis":
        assert running.writer.logged("retry"), "the writer gave up waiting for a reply"
        assert running.writer.health()[0] == 503
    else:
        frozen = running.ingester if who == "ingester" else running.writer
        assert frozen.health()[0] == 0, "it does not answer"
    victim.send_signal(signal.SIGCONT)
    running.assert_complete(EVENTS, SECONDS)


def _made(pipeline: Pipelines, rate: int) -> Pipeline:
    host = Host({"rate": str(rate), "events": str(EVENTS), "kind": "v2"})
    return pipeline(host, ingest={"INGEST_PUSH_EVENTS": "250"}, write=dict(SMALL))
