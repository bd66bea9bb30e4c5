"""Locust's workers share one host's rate, its pages are local; samples count a process with its children."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.redis import NoServerError, RedisServer, find_server
from testing.harness.waiting import wait_for
from testing.performance.load.plan import SHAPES, RunPlan, Shape, Stage
from testing.performance.load.run import run
from testing.performance.load.sample import figures_of
from testing.performance.load.swarm import WEB_PORT, Swarm
from testing.performance.load.target import Processes
from testing.performance.load.verdict import judge, limits_of

if TYPE_CHECKING:
    from pathlib import Path


PEAKS = {"planned": 94, "steady": 100_000 / 60, "replay": 5_000, "spike": 5_000, "soak": 500, "ramp": 20_000}
PARENT = """
import subprocess, sys
print("begun", flush=True)
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.5: pass"])
print("ended", flush=True)
sys.stdin.read()
"""


def test_two_workers_drive_one_host(tmp_path: Path) -> None:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    shape = SHAPES["steady"].scaled(15.0, 400.0)
    result = run(Processes(tmp_path), shape, lambda _: None, print, processes=2)
    assert result.audit.passed, str(result.audit)
    # The shares of both workers add up to the rate.
    assert 0.6 * shape.events < result.truth < 1.2 * shape.events
    followed = {row.name: row for row in result.rows if row.kind == "FIREHOSE"}
    assert set(followed) == {"websocket to Redis", "websocket to Parquet"}
    assert followed["websocket to Redis"].requests > 50
    assert followed["websocket to Parquet"].requests > 0
    log = (tmp_path / "locust.log").read_text(encoding="utf-8")
    assert log.count("reported as ready") == 2
    (failures,) = (one for one in judge(result, limits_of("steady")) if one.limit == "failures")
    assert failures.found == 0


def test_locust_serves_its_web_pages(redis_server: RedisServer, tmp_path: Path) -> None:
    host = Host({"rate": "1"})
    host.start()
    plan = RunPlan(
        f"{host.address}/control",
        redis_server.url("tools"),
        None,
        Shape("pages", (Stage(8.0, 0),), 0.0),
        str(tmp_path / "locust"),
        5.0,
        is_driven=False,
    )
    swarm = Swarm(tmp_path, plan, web=True)
    swarm.start()
    try:
        page = wait_for(_page, 30, "its pages")
        assert "Locust" in page
        wait_for(lambda: not swarm.runs(), 60, "its end, by itself")
    finally:
        swarm.end()
        host.stop()
    assert [row.kind for row in swarm.rows()] == ["BUFFER"], swarm.last_output()


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_the_rates_of_their_names(name: str) -> None:
    shape = SHAPES[name]
    assert shape.peak == pytest.approx(PEAKS[name])
    assert shape.users_at(shape.seconds) is None
    rates = [shape.rate_at(second) for second in range(int(shape.seconds))]
    assert sum(rates) == pytest.approx(shape.events)
    if shape.spike is not None:
        calm, spike = shape.stages[0], shape.stages[shape.spike]
        assert (spike.users, spike.seconds) == (10 * calm.users, 60.0)
        assert shape.stages[-1].users == calm.users
    short = shape.scaled(10.0, 100.0)
    assert [short.seconds, short.peak] == pytest.approx([10.0, 100.0])


def test_a_run_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = RunPlan(
        "ws://127.0.0.1:1/control", "redis://tools:secret@127.0.0.1:1/0", None, SHAPES["spike"], "table", 1.0
    )
    path = tmp_path / "plan.json"
    plan.write(path)
    assert RunPlan.read(path) == plan
    assert path.stat().st_mode & 0o077 == 0


def _page() -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{WEB_PORT}/", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not report the processor time of ended children"
)
def test_processor_time_of_an_ended_child_is_still_counted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == "begun\n"
        seen = wait_for(lambda: _total(parent.pid, at_least=0.2), 60, "the child to use the processor")
        assert parent.stdout.readline() == "ended\n"
        assert _total(parent.pid) >= seen
        parent.stdin.close()


def _total(pid: int, at_least: float = 0.0) -> float:
    used = figures_of("one", pid).get("cpu_total.one", 0.0)
    return used if used >= at_least else 0.0
