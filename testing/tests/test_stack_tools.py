"""`docker compose run --rm tools archive …`: reaches Redis as its own user, and the archive's volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.stack_faults import client, pushed, waiting
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.stack import Stack

    MakeStack = Callable[..., Stack]

EVENTS = 2000
DEMO_HOST = "ws://jetstream.demo:6008"


def test_the_tools_ask_redis_the_host_and_the_archive(stack: MakeStack) -> None:
    settings = {"DEMO_RATE": "500", "DEMO_EVENTS": str(EVENTS), "WRITER_INTERVAL": "2"}
    one = stack(settings, profiles=("demo",))
    one.up("redis", "jetstream", "data_writer", "fake_jetstream")
    with client(one) as server:
        wait_for(lambda: pushed(server) == EVENTS and waiting(server) == 0, 120, "all is committed")

    def tools(*words: str, check: bool = True) -> str:
        return one.compose("run", "--rm", "-T", "tools", "archive", *words, check=check, seconds=120)

    assert "0 rejected frames can be used now" in tools("rejects", "replay")
    assert "never mix" in tools("repair", "--gaps", check=False)
    assert "nothing to repair" in tools("repair", "--gaps", "--host", DEMO_HOST)
    assert "ARCHIVE_OBJECT_STORE" in tools("offload", check=False)
    assert "Nothing was changed" in tools("forget", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    assert "tools" not in one.compose("ps", "-a", "--services")
