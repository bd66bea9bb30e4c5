"""The `archive` command in the containers of a demo stack: in the writer's, and as the service `tools`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from testing.harness.fixtures import new_project
from testing.harness.redis import pushed, waiting
from testing.harness.stack import Stack
from testing.harness.stack_faults import client
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 2000
DEMO_HOST = "ws://jetstream.demo:6008"
SETTINGS = {"DEMO_RATE": "500", "DEMO_EVENTS": str(EVENTS), "WRITER_INTERVAL": "2"}


@pytest.fixture(scope="module")
def demo(
    images: str,  # noqa: ARG001 - used for its effect
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Start one demo stack for all tests of this file; every event is committed."""
    folder = tmp_path_factory.mktemp("stack")
    stack = Stack(new_project(), folder, SETTINGS, profiles=("demo",))
    try:
        stack.up("redis", "jetstream", "data_writer", "fake_jetstream")
        with client(stack) as server:
            wait_for(lambda: pushed(server) == EVENTS and waiting(server) == 0, 120, "all events committed")
        yield stack
    finally:
        stack.end()


def test_the_command_answers_in_the_writers_container(demo: Stack) -> None:
    status = _json(demo, "status")
    rows = {stream: figures["rows"] for stream, figures in status["streams"].items()}
    assert sum(rows.values()) - rows["gaps"] == EVENTS
    wait_for(lambda: set(_json(demo, "status")["unaccounted"].values()) == {0}, 30, "no unaccounted events")
    assert _json(demo, "sql", "SELECT count(*) AS n FROM likes") == [{"n": rows["likes"]}]
    assert _json(demo, "verify")["findings"] == []
    assert "streams, hours, gaps" in demo.compose("exec", "-T", "data_writer", "archive", "--help")


def test_the_tools_container_reaches_redis_the_host_and_the_archive(demo: Stack) -> None:
    def tools(*words: str, check: bool = True) -> str:
        return demo.compose("run", "--rm", "-T", "tools", "archive", *words, check=check, seconds=120)

    assert "0 rejected frames can be used now" in tools("rejects", "replay")
    assert "never mix" in tools("repair", "--gaps", check=False)
    assert "nothing to repair" in tools("repair", "--gaps", "--host", DEMO_HOST)
    assert "ARCHIVE_OBJECT_STORE" in tools("offload", check=False)
    assert "Nothing was changed" in tools("forget", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    assert "tools" not in demo.compose("ps", "-a", "--services")


def _json(stack: Stack, *words: str) -> Any:
    return json.loads(stack.compose("exec", "-T", "data_writer", "archive", *words, "--json"))
