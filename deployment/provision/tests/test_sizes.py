"""Every machine's memory is shared out so that all containers together leave some of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from deployment.provision.refusal import Refused
from deployment.provision.sizes import FORK, LEAST_MEMORY_MB, MOST_SHARE, sizes
from testing.harness.daemons import REPOSITORY
from testing.harness.stack import BASE, PRODUCTION, Stack

if TYPE_CHECKING:
    from pathlib import Path

MACHINES = (4096, 8192, 16384, 32768)
MIB = 1 << 20
# By whatever names production's file asks for its images and its site.
NEEDED = re.compile(r"\$\{(\w+):\?")


def test_one_gigabyte_of_events_on_the_smallest_machine() -> None:
    assert sizes(4096)["REDIS_MAXMEMORY"] == "1024mb"


@pytest.mark.parametrize("memory_mb", MACHINES)
def test_redis_has_room_for_a_fork(memory_mb: int) -> None:
    told = sizes(memory_mb)
    names = ("REDIS_MAXMEMORY", "REDIS_MEMORY_LIMIT")
    maxmemory, limit = (int(re.sub(r"\D", "", told[name])) for name in names)
    assert limit >= maxmemory * FORK


@pytest.mark.parametrize("memory_mb", MACHINES)
def test_all_limits_together_leave_memory_to_the_machine(
    engine: None,  # noqa: ARG001 - wanted for its check
    tmp_path: Path,
    memory_mb: int,
) -> None:
    stack = Stack("bluesky-archive-test-sizes", tmp_path, sizes(memory_mb), (BASE, PRODUCTION))
    asked = NEEDED.findall((REPOSITORY / PRODUCTION).read_text("utf-8"))
    stack.settings = {**dict.fromkeys(asked, "registry.test/me:1"), **stack.settings}
    services = json.loads(stack.compose("config", "--format", "json"))["services"]
    limits = {name: int(service["mem_limit"]) / MIB for name, service in services.items()}
    assert sum(limits.values()) <= MOST_SHARE * memory_mb, limits


def test_a_machine_that_is_too_small_is_refused() -> None:
    with pytest.raises(Refused, match=f"choose a server_type with {LEAST_MEMORY_MB} MB or more"):
        sizes(2048)
