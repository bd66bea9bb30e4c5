"""Scenarios in which Redis loses its volume, an older backup of it is restored, or the power is cut."""

from __future__ import annotations

import random
import re
import shutil
from typing import TYPE_CHECKING

from testing.harness.proxy import Action, Trap
from testing.harness.waiting import wait_for
from testing.proof.mutants.environment import END_SECONDS, EVENTS, Environment, environment
from testing.proof.mutants.mutant import REDIS_CONF
from testing.proof.mutants.scenarios import ACK
from testing.proof.power.disk import Mode
from testing.proof.power.run import PowerSupply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.proof.audit import Audit

MOVES = 2
CUTS = 2
OTHERS = "likes,reposts,follows,records,identities,accounts,rejects,gaps"
"""All streams except posts."""


def redis_lost_its_last_pushes(tree: Path, folder: Path) -> Audit:
    """Restore a backup of Redis that lacks some pushes; the ingester continues, nothing is committed yet."""
    with environment(tree, folder, seconds=3.0, backlog=0.0) as env:
        env.prepare()
        env.confirm()
        env.ingester.start()
        env.wait_pushed(EVENTS // 4)
        _back_up(env, folder / "copy")
        env.confirm()
        env.wait_pushed(EVENTS // 2)
        _restore(env, folder / "copy")
        env.confirm()
        env.wait_read()
        env.writer.start()
        return env.finish()


def volume_lost_after_a_round(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume after a checkpoint has moved a few times."""
    with environment(tree, folder, seconds=12.0, backlog=0.0) as env:
        env.prepare()
        env.writer.start()
        env.ingester.start()
        _wait_checkpoint(env, moves=MOVES)
        _lose_volume(env)
        return env.finish()


def volume_lost_while_a_stream_lags(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume when every stream except posts is committed."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        env.write_once(OTHERS)
        _lose_volume(env)
        env.writer.start()
        return env.finish()


def volume_lost_twice_while_a_stream_lags(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume when all streams except posts are committed, and again after only posts moved."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        env.ingester.kill()
        env.write_once(OTHERS)
        _lose_volume(env)
        env.write_once("posts")
        _lose_volume(env)
        env.ingester.start()
        env.writer.start()
        return env.finish()


def volume_lost_in_a_round(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume between a commit and its ack; the writer continues."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        _spring_in_one_round(env, lambda: _lose_volume(env))
        return env.finish()


def backup_restored_in_a_round(tree: Path, folder: Path) -> Audit:
    """Restore an older backup of Redis between a commit and its ack; the writer continues."""
    with environment(tree, folder) as env:
        env.prepare()
        env.confirm()
        _back_up(env, folder / "copy")
        env.push_all()
        _spring_in_one_round(env, lambda: _restore(env, folder / "copy"))
        return env.finish()


def backup_restored_after_volume_lost(tree: Path, folder: Path) -> Audit:
    """Restore a backup after recovery from a lost volume, then lose the volume again before a round."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        env.ingester.kill()
        _back_up(env, folder / "copy")
        _lose_volume(env)
        env.write_once(f"posts,{OTHERS}")
        _restore(env, folder / "copy")
        env.confirm()
        _lose_volume(env)
        env.ingester.start()
        env.writer.start()
        return env.finish()


def volume_lost_before_the_first_round(tree: Path, folder: Path) -> Audit:
    """Start an ingester with no writer, lose Redis' volume, then start the writer."""
    with environment(tree, folder, seconds=6.0, backlog=-3.0) as env:
        env.prepare()
        env.ingester.start()
        wait_for(
            lambda: env.pipeline.hosts[0].status()["tip"] > EVENTS // 4, END_SECONDS, "events that exist"
        )
        _lose_volume(env)
        env.writer.start()
        return env.finish()


def power_cut_after_commits(tree: Path, folder: Path) -> Audit:
    """Cut the power right after a round has committed parts and acked them."""
    with environment(tree, folder, seconds=10.0, backlog=0.0) as env:
        pipeline = env.pipeline
        pipeline.hosts[0].start()
        # Without the proxies, which would forward bytes after the power cut.
        pipeline.ingest["REDIS_URL"] = pipeline.redis.url("ingester")
        pipeline.write["REDIS_URL"] = pipeline.redis.url("writer")
        pipeline.redis.settings["appendfsync"] = _appendfsync(tree)
        supply = PowerSupply(pipeline)
        supply.prepare()
        for _ in range(CUTS):
            committed = len(pipeline.writer.logged("commit.done"))
            supply.start()
            wait_for(
                lambda: len(pipeline.writer.logged("commit.done")) > committed + 5,  # noqa: B023 - called in this iteration
                END_SECONDS,
                "a round of commits",
            )
            supply.cut(Mode.NOTHING, random.Random(1))
        supply.start()
        return env.finish()


def _spring_in_one_round(env: Environment, then: Callable[[], None]) -> None:
    """Run `then` at an ack of a writer that runs one round; then start the writer that continues."""
    trap = env.writers.arm(Trap(ACK, 2, Action.LOSE_COMMAND, then))
    env.writer.start("--once")
    wait_for(trap.sprung.is_set, END_SECONDS, "the writer's second ack of likes")
    env.expect("the writer of one round", env.writer.wait())
    env.writer.start()


def _wait_checkpoint(env: Environment, moves: int) -> None:
    checkpoint = env.pipeline.root / ".state/checkpoints" / "posts.json"
    seen: set[bytes] = set()

    def has_moved() -> bool:
        if checkpoint.exists():
            seen.add(checkpoint.read_bytes())
        return len(seen) > moves

    wait_for(has_moved, END_SECONDS, "a checkpoint that moves")


def _back_up(env: Environment, copy: Path) -> None:
    server = env.pipeline.redis
    server.kill()
    shutil.copytree(server.folder / "data", copy)
    server.start()


def _restore(env: Environment, copy: Path) -> None:
    server = env.pipeline.redis
    server.kill()
    server.lose_volume()
    shutil.copytree(copy, server.folder / "data")
    server.start()


def _lose_volume(env: Environment) -> None:
    env.pipeline.redis.kill()
    env.pipeline.redis.lose_volume()
    env.pipeline.redis.start()


def _appendfsync(tree: Path) -> str:
    (policy,) = re.findall(r"(?m)^appendfsync (\w+)$", (tree / REDIS_CONF).read_text(encoding="utf-8"))
    return str(policy)
