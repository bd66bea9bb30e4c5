"""Redis as Compose starts it: start, speed, memory limit, and durability of acknowledged writes."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
import redis

from services.buffer.keys import buffer_key
from services.monitoring.metric_checks import without_variables
from services.shared.event import Stream
from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY
from testing.harness.redis import pushed, waiting
from testing.harness.stack import PIPELINE, Stack
from testing.harness.stack_faults import client, events, fill, push
from testing.harness.truth import truth_of_demo
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeStack = Callable[..., Stack]

DASHBOARD = REPOSITORY / "monitoring" / "grafana" / "dashboards" / "redis.json"
AN_HOUR_AT_8_1_MILLION_A_DAY = 337_500
AN_HOUR_AT_500_A_SECOND = 1_800_000
LIMIT = 0.80
SMALL = {"REDIS_MAXMEMORY": "64mb", "REDIS_MEMORY_LIMIT": "128m"}
MORE_THAN_FITS = 200_000


def test_redis_startup(stack: MakeStack) -> None:
    one = stack()
    began = time.monotonic()
    one.up("redis", wait=False)
    one.wait_healthy("redis", 30)
    assert time.monotonic() - began < 30
    with client(one, "health") as server:
        server.ping()
        began = time.monotonic()
        server.ping()
        assert time.monotonic() - began < 0.1
    assert one.inspect("redis")["RestartCount"] == 0
    assert not re.search(r"error|fail(?!ure)", one.logs("redis").replace("may fail", ""), re.IGNORECASE)


def test_redis_performance(stack: MakeStack) -> None:
    one = stack()
    one.up("redis")
    with client(one) as server:
        began = time.monotonic()
        for number in range(1000):
            server.set(f"archive:test:{number}", b"x" * 500)
        took = time.monotonic() - began
        assert server.dbsize() == 1000
    assert took < 5, f"1,000 SETs took {took:.1f} s"


@pytest.mark.parametrize("count", [AN_HOUR_AT_8_1_MILLION_A_DAY, AN_HOUR_AT_500_A_SECOND])
def test_redis_memory(stack: MakeStack, count: int) -> None:
    one = stack()
    one.up("redis")
    with client(one) as server:
        some = events(30_000)
        for done in push(server, some, count):
            if done % 300_000 == 0:
                _assert_room(one, server)
        _assert_room(one, server)
        assert waiting(server) == count
        assert server.info("stats")["evicted_keys"] == 0


def test_redis_memory_while_the_writer_is_stopped(stack: MakeStack) -> None:
    # More events than Redis can hold: a slow start must not run out of events before Redis is full.
    one = stack({**SMALL, "DEMO_RATE": "4000", "DEMO_EVENTS": str(MORE_THAN_FITS)}, profiles=("demo",))
    one.up(*PIPELINE)
    one.compose("stop", "data_writer")
    with client(one) as server:
        # To save time.
        fill(server, 0.5)
        while not (why := _why_paused(one)):
            _assert_room(one, server)
        _assert_room(one, server)
        held = pushed(server)
        assert why.startswith("Redis holds 7")

        fill(server, 1.5)
        with pytest.raises(redis.OutOfMemoryError):
            server.set("archive:test:refused", b"x" * 4096)
        assert waiting(server) > 0
        one.up("data_writer", wait=False)
        wait_for(lambda: waiting(server) == 0, 60, "the writer empties a Redis that refuses writes")
        assert server.info("stats")["evicted_keys"] == 0
        assert pushed(server) == held

        server.delete("archive:test:ballast")
        wait_for(lambda: pushed(server) == MORE_THAN_FITS, 120, "the ingester resumes")
        wait_for(lambda: waiting(server) == 0, 120, "the writer has committed all")
    archive = one.archive()
    verdict = audit(archive, truth_of_demo(archive))
    assert verdict.passed, str(verdict)


def test_redis_persistence(stack: MakeStack) -> None:
    one = stack()
    one.up("redis")
    key = buffer_key(Stream.POSTS)
    with client(one) as server:
        for _ in push(server, events(1000), 1000):
            pass
        acknowledged = server.llen(key)
    one.compose("restart", "redis")
    one.wait_healthy("redis")
    with client(one) as server:
        assert server.llen(key) == acknowledged
    for _ in range(2):
        acknowledged = _push_until_killed(one, key)
        one.up("redis")
        with client(one) as server:
            # One push may be on the disk although its reply was not sent.
            assert acknowledged <= server.llen(key) <= acknowledged + 100
            assert "CRITICAL" not in one.logs("redis")


def test_prometheus_metrics(stack: MakeStack) -> None:
    one = stack()
    began = time.monotonic()
    one.up("redis", "redis_exporter", "prometheus", wait=False)
    wait_for(lambda: _up(one, "PROMETHEUS_PORT", "/api/v1/status/config"), 60, "Prometheus answers")
    wait_for(
        lambda: [sample["value"][1] for sample in one.query("redis_up")] == ["1"],
        60 - (time.monotonic() - began),
        "Prometheus has scraped redis_up 1 within a minute of the start",
    )


def test_grafana_dashboard(stack: MakeStack) -> None:
    one = stack()
    one.up("redis", "redis_exporter", "prometheus")
    with client(one) as server:
        for _ in push(server, events(1000), 1000):
            pass
    queries = [
        without_variables(target["expr"])
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel.get("targets", [])
    ]
    assert len(queries) > 10
    for query in queries:
        wait_for(partial(one.query, query), 90, f"data for {query}")


def test_grafana_dashboard_in_grafana(stack: MakeStack) -> None:
    image = next(str(one) for one in references() if one.variable == "GRAFANA_IMAGE")
    if subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode:
        pytest.skip(f"{image} is not here; where images can be pulled: docker pull {image}")
    one = stack()
    one.up("redis", "redis_exporter", "prometheus", "grafana")
    password = (one.secrets / "grafana_admin").read_text().strip()
    port = one.settings["GRAFANA_PORT"]
    grafana = f"http://admin:{password}@127.0.0.1:{port}"
    shown = _grafana(grafana, "/api/dashboards/uid/archive-redis")["dashboard"]
    assert len(shown["panels"]) == len(json.loads(DASHBOARD.read_text())["panels"])
    assert _grafana(grafana, "/api/datasources/uid/prometheus/health")["status"] == "OK"


def test_health_check(stack: MakeStack) -> None:
    one = stack({**SMALL, "DEMO_RATE": "50"}, profiles=("demo",))
    one.up(*PIPELINE)
    assert _health(one) == (200, False)

    one.compose("pause", "redis")
    assert _health(one) == (503, True)
    one.compose("unpause", "redis")
    wait_for(lambda: _health(one)[0] == 200, 30, "healthy after the pause")

    one.compose("stop", "redis")
    assert _health(one) == (503, True)
    one.compose("start", "redis")
    wait_for(lambda: _health(one)[0] == 200, 90, "healthy after the stop")

    with client(one) as server:
        fill(server, 0.9)
        assert _health(one) == (503, True)
        server.delete("archive:test:ballast")
    wait_for(lambda: _health(one)[0] == 200, 30, "healthy when there is room again")


def _assert_room(stack: Stack, server: redis.Redis) -> None:
    memory = server.info("memory")
    assert memory["used_memory"] < LIMIT * memory["maxmemory"]
    assert stack.memory_share("redis") < LIMIT


def _why_paused(stack: Stack) -> str:
    """Return why the ingester is paused; empty while it is not, or does not answer in time."""
    _, body = stack.ask("HEALTH_PORT", "/healthz/jetstream")
    return str(body["why"]) if body.get("state") == "paused" else ""


def _up(stack: Stack, port: str = "HEALTH_PORT", path: str = "/alive") -> bool:
    try:
        stack.get(port, path)
    except OSError:
        return False
    return True


def _grafana(address: str, path: str) -> dict[str, Any]:
    credentials, _, host = address.removeprefix("http://").partition("@")
    request = Request(f"http://{host}{path}")
    request.add_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
    with urlopen(request, timeout=10) as reply:  # noqa: S310 - as above
        body: dict[str, Any] = json.loads(reply.read())
    return body


def _health(stack: Stack) -> tuple[int, bool]:
    """Request the health of all services; returns the status, and whether Redis is failing."""
    began = time.monotonic()
    status, body = stack.ask("HEALTH_PORT", "/healthz")
    assert time.monotonic() - began < 1
    return status, "redis" in body.get("failing", [])


def _push_until_killed(stack: Stack, key: str) -> int:
    """Push as fast as possible until Redis is killed; returns the last acknowledged length."""
    acknowledged = 0
    killer = threading.Timer(1.0, lambda: stack.compose("kill", "-s", "KILL", "redis"))
    killer.start()
    with client(stack) as server:
        try:
            while True:
                with server.pipeline(transaction=True) as push_of_events:
                    push_of_events.rpush(key, *range(100))
                    push_of_events.incr("archive:test:pushes")
                    acknowledged = int(push_of_events.execute()[0])
        except redis.ConnectionError:
            killer.join()
    return acknowledged
