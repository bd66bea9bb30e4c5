"""Clients of a test's Redis: an operator and a writer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from services.buffer.claims import Claims
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.redis import RedisServer


@pytest.fixture
def tools(redis_server: RedisServer) -> Iterator[Redis]:
    """Return an operator's client."""
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as client:
        yield client


@pytest.fixture
def claims(redis_server: RedisServer) -> Iterator[Claims]:
    """Return a writer's open connection."""
    with contextlib.closing(Claims(redis_server.url("writer"), Stopping())) as one:
        one.open()
        yield one
