"""The verdict on what a Redis server says of itself; and a real one, asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.monitoring.redis_health import ask_redis, judge
from services.monitoring.settings import HealthSettings
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from testing.harness.redis import RedisServer

GOOD = {
    "used_memory": "790",
    "maxmemory": "1000",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def test_a_good_server() -> None:
    verdict = judge(GOOD, 99.0, HealthSettings())
    assert verdict.works
    assert "reasons" not in verdict.said


@pytest.mark.parametrize(
    ("said", "ping_ms", "reason"),
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
def test_what_is_wrong_is_said(said: dict[str, str], ping_ms: float, reason: str) -> None:
    verdict = judge(GOOD | said, ping_ms, HealthSettings())
    assert not verdict.works
    assert verdict.said["reasons"] == [reason]


def test_a_real_server(redis_server: RedisServer) -> None:
    settings = HealthSettings(redis_url=redis_server.url("tools"))
    verdict = ask_redis(settings, Stopping())
    assert verdict.works, verdict.said
    redis_server.kill()
    verdict = ask_redis(settings, Stopping())
    assert not verdict.works
    assert "cannot be reached" in str(verdict.said["reasons"])


def test_a_password_that_is_refused(redis_server: RedisServer) -> None:
    address = redis_server.url("tools").replace(redis_server.passwords["tools"], "wrong")
    verdict = ask_redis(HealthSettings(redis_url=address), Stopping())
    assert not verdict.works
    assert "refuses user 'tools'" in str(verdict.said["reasons"])
