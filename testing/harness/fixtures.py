"""The pytest plugin: real servers and real processes, each test with its own; what is missing is said.

A missing tool is a skip at home, with the reason, and a failure where CI=true.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.pipeline import Pipeline
from testing.harness.redis import NoServerError, RedisServer, find_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.harness.host import Host

REAL_EVENTS = REPOSITORY.parent / "shared" / "data"


def missing(what: str) -> NoReturn:
    """Skip the test for want of a tool, or fail where everything should be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing where CI=true: {what}")
    pytest.skip(what)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Give a running server of this test's own."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Make pipelines, not yet started; whatever still runs at the test's end is killed."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    made: list[Pipeline] = []

    def make(*hosts: Host, **settings: dict[str, str]) -> Pipeline:
        folder = tmp_path / f"pipeline{len(made)}"
        made.append(Pipeline(folder, list(hosts), **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def real_events() -> Path:
    """Give the folder of events captured from the real network; they are no part of this repository."""
    if not REAL_EVENTS.is_dir():
        pytest.skip("the captured events are not on this machine")
    return REAL_EVENTS
