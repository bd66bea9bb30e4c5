"""Replies of the health service for all and for one, and the checks of daemons and of Redis."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from services.monitoring.health import (
    Check,
    HealthStatus,
    check_daemon,
    check_redis,
    judge_redis,
    respond,
    serving,
)
from services.monitoring.settings import HealthSettings
from services.shared import probes
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.redis import RedisServer

HEALTHY = HealthStatus(healthy=True, details={"state": "paused", "why": "Redis holds 76% of maxmemory"})
FAILING = HealthStatus(healthy=False, details={"reasons": ["a reason"]})
INFO = {
    "used_memory": "790",
    "maxmemory": "1000",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def _get(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def _checks(**functions: Callable[[], HealthStatus]) -> dict[str, Check]:
    return {name: Check(check) for name, check in functions.items()}


def test_replies_for_all_and_for_one() -> None:
    checks = _checks(redis=lambda: FAILING, jetstream=lambda: HEALTHY)
    with serving(0, checks) as port:
        assert _get(port, "/healthz") == (
            503,
            {
                "status": "failing",
                "failing": ["redis"],
                "services": {
                    "redis": {"status": "failing", **FAILING.details},
                    "jetstream": {"status": "ok", **HEALTHY.details},
                },
            },
        )
        assert _get(port, "/healthz/redis?x=1") == (503, {"status": "failing", **FAILING.details})
        assert _get(port, "/healthz/jetstream") == (200, {"status": "ok", **HEALTHY.details})
        assert _get(port, "/alive") == (200, {"status": "ok"})
        status, body = _get(port, "/healthz/unknown")
        assert (status, body["paths"]) == (404, ["/healthz", "/healthz/redis", "/healthz/jetstream"])


def test_a_paused_ingester_is_healthy() -> None:
    status, body = respond("/healthz", _checks(jetstream=lambda: HEALTHY))
    assert status == HTTPStatus.OK
    assert body["services"] == {"jetstream": {"status": "ok", **HEALTHY.details}}


def test_a_check_that_hangs_delays_no_reply() -> None:
    release = threading.Event()
    calls = 0

    def hang() -> HealthStatus:
        nonlocal calls
        calls += 1
        release.wait()
        return HEALTHY

    checks = _checks(redis=hang, jetstream=lambda: HEALTHY)
    for _ in range(2):
        status, body = respond("/healthz", checks)
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        assert body["failing"] == ["redis"]
    assert calls == 1
    release.set()
    assert checks["redis"].start().result().healthy
    assert respond("/healthz", checks)[0] == HTTPStatus.OK


def test_the_healthz_of_a_daemon_is_read() -> None:
    with probes.serving(0, CollectorRegistry(), lambda: HEALTHY) as port:
        assert check_daemon(f"http://127.0.0.1:{port}/healthz") == HEALTHY
    with probes.serving(0, CollectorRegistry(), lambda: FAILING) as port:
        assert check_daemon(f"http://127.0.0.1:{port}/healthz") == FAILING
    result = check_daemon(f"http://127.0.0.1:{port}/healthz")
    assert not result.healthy
    assert "no answer from" in str(result.details["reasons"])


def test_a_daemon_without_a_reply_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        result = check_daemon(f"http://127.0.0.1:{mute.getsockname()[1]}/healthz")
    assert not result.healthy


def test_a_reply_that_is_not_json_fails() -> None:
    with probes.serving(0, CollectorRegistry(), lambda: HEALTHY) as port:
        result = check_daemon(f"http://127.0.0.1:{port}/nowhere")
    assert not result.healthy
    assert "the reply is not JSON" in str(result.details["reasons"])


def test_a_healthy_redis() -> None:
    result = judge_redis(INFO, 99.0, HealthSettings())
    assert result.healthy
    assert "reasons" not in result.details


@pytest.mark.parametrize(
    ("fields", "ping_ms", "reason"),
    [
        ({}, 101.0, "PING took 101 ms, more than 100"),
        ({"used_memory": "800"}, 1.0, "memory is 80% full, 80 % or more"),
        ({"maxmemory": "0"}, 1.0, "no maxmemory is set"),
        ({"aof_enabled": "0"}, 1.0, "the append-only file is off"),
        ({"aof_last_write_status": "err"}, 1.0, "the append-only file cannot be written"),
        ({"aof_last_bgrewrite_status": "err"}, 1.0, "the last rewrite of the append-only file failed"),
        ({"rdb_last_bgsave_status": "err"}, 1.0, "the last snapshot failed"),
    ],
)
def test_every_reason_is_given(fields: dict[str, str], ping_ms: float, reason: str) -> None:
    result = judge_redis(INFO | fields, ping_ms, HealthSettings())
    assert not result.healthy
    assert result.details["reasons"] == [reason]


def test_a_real_redis(redis_server: RedisServer) -> None:
    settings = HealthSettings(redis_url=redis_server.url("tools"))
    result = check_redis(settings, Stopping())
    assert result.healthy, result.details
    redis_server.kill()
    result = check_redis(settings, Stopping())
    assert not result.healthy
    assert "cannot be reached" in str(result.details["reasons"])


def test_a_password_that_is_refused(redis_server: RedisServer) -> None:
    address = redis_server.url("tools").replace(redis_server.passwords["tools"], "wrong")
    result = check_redis(HealthSettings(redis_url=address), Stopping())
    assert not result.healthy
    assert "refuses user 'tools'" in str(result.details["reasons"])
