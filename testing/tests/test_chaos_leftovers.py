"""The check for leftovers finds what a fault may leave, and nothing that belongs there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import Redis

from testing.proof.chaos.leftovers import strange_files, strange_keys

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.redis import RedisServer

BELONGS = (
    ".state/id",
    ".state/epoch",
    ".state/locks/posts",
    ".state/checkpoints/posts.json",
    "posts/year=2026/month=01/day=01/hour=00/1-2-3-abc.parquet",
)
STRANGE = (
    ".state/epoch.77.tmp",
    ".state/checkpoints/posts.77.tmp",
    ".state/staging/posts/posts-1-abc.tmp",
    "posts/year=2026/month=01/day=01/hour=00/1-2-3-abc.parquet.tmp",
    "posts/misplaced.parquet",
)


def make(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_that_belong_to_an_archive_are_no_leftovers(tmp_path: Path) -> None:
    make(tmp_path, BELONGS)
    (tmp_path / ".state/staging" / "posts").mkdir(parents=True)
    assert strange_files(tmp_path) == []


def test_staged_and_misplaced_files_are_leftovers(tmp_path: Path) -> None:
    make(tmp_path, BELONGS + STRANGE)
    assert strange_files(tmp_path) == sorted(STRANGE)


def test_claims_and_buffers_that_hold_something_are_leftovers(redis_server: RedisServer) -> None:
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as tools:
        tools.set("archive:cursor", "{}")
        assert strange_keys(tools) == []
        tools.rpush("archive:claim:posts:100", "event")
        tools.rpush("archive:buffer:likes", "event")
        assert strange_keys(tools) == ["archive:buffer:likes", "archive:claim:posts:100"]
