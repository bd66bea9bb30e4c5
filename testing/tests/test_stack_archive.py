"""`docker compose exec data_writer archive …`: the command answers where the archive lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testing.harness.stack_faults import client, pushed, waiting
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.stack import Stack

    MakeStack = Callable[..., Stack]

EVENTS = 2000


def test_the_command_answers_in_the_writers_container(stack: MakeStack) -> None:
    settings = {"DEMO_RATE": "500", "DEMO_EVENTS": str(EVENTS), "WRITER_INTERVAL": "2"}
    one = stack(settings, profiles=("demo",))
    one.up("redis", "jetstream", "data_writer", "fake_jetstream")
    with client(one) as server:
        wait_for(lambda: pushed(server) == EVENTS and waiting(server) == 0, 120, "all is committed")

    told = _asked(one, "status")
    rows = {stream: figures["rows"] for stream, figures in told["streams"].items()}
    assert sum(rows.values()) - rows["gaps"] == EVENTS
    wait_for(lambda: set(_asked(one, "status")["unaccounted"].values()) == {0}, 30, "the ledger comes to 0")
    assert _asked(one, "sql", "SELECT count(*) AS n FROM likes") == [{"n": rows["likes"]}]
    assert _asked(one, "verify")["findings"] == []
    assert "streams, hours, gaps" in one.compose("exec", "-T", "data_writer", "archive", "--help")


def _asked(stack: Stack, *words: str) -> Any:
    return json.loads(stack.compose("exec", "-T", "data_writer", "archive", *words, "--json"))
