"""What happens to a pipeline whose Redis loses its volume or is set back: scenarios like the others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from testing.harness.proxy import Action, Trap
from testing.harness.waiting import wait_for
from testing.proof.mutants.scenarios import ACK
from testing.proof.mutants.world import END_SECONDS, EVENTS, World, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.proof.audit import Audit

MOVES = 2
OTHERS = "likes,reposts,follows,records,identities,accounts,rejects,gaps"
"""All streams but the posts."""


def redis_lost_its_last_pushes(tree: Path, folder: Path) -> Audit:
    """Put back Redis' data as they were some pushes ago; the ingester lives, nothing was committed yet."""
    with world(tree, folder, seconds=3.0, backlog=0.0) as here:
        here.prepare()
        here.confirm()
        here.ingester.start()
        here.wait_pushed(EVENTS // 4)
        _back_up(here, folder / "copy")
        here.confirm()
        here.wait_pushed(EVENTS // 2)
        _restore(here, folder / "copy")
        here.confirm()
        here.wait_read()
        here.writer.start()
        return here.finish()


def volume_lost_after_a_round(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume as soon as a checkpoint has moved a few times."""
    with world(tree, folder, seconds=12.0, backlog=0.0) as here:
        here.prepare()
        here.writer.start()
        here.ingester.start()
        _wait_checkpoint(here, moves=MOVES)
        _lose_volume(here)
        return here.finish()


def volume_lost_while_a_stream_lags(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume when every stream but the posts is committed."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        here.write_once(OTHERS)
        _lose_volume(here)
        here.writer.start()
        return here.finish()


def volume_lost_twice_while_a_stream_lags(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume when all but the posts are committed, and again when only their checkpoint moved."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        here.ingester.kill()
        here.write_once(OTHERS)
        _lose_volume(here)
        here.write_once("posts")
        _lose_volume(here)
        here.ingester.start()
        here.writer.start()
        return here.finish()


def volume_lost_in_a_round(tree: Path, folder: Path) -> Audit:
    """Lose Redis' volume between a commit and its ack; the writer lives."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        _spring_in_one_round(here, lambda: _lose_volume(here))
        return here.finish()


def backup_restored_in_a_round(tree: Path, folder: Path) -> Audit:
    """Put back Redis' data of some pushes ago between a commit and its ack; the writer lives."""
    with world(tree, folder) as here:
        here.prepare()
        here.confirm()
        _back_up(here, folder / "copy")
        here.push_all()
        _spring_in_one_round(here, lambda: _restore(here, folder / "copy"))
        return here.finish()


def backup_restored_after_volume_lost(tree: Path, folder: Path) -> Audit:
    """Put back Redis' data when their loss has been got over, then lose them again before a round."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        here.ingester.kill()
        _back_up(here, folder / "copy")
        _lose_volume(here)
        here.write_once(f"posts,{OTHERS}")
        _restore(here, folder / "copy")
        here.confirm()
        _lose_volume(here)
        here.ingester.start()
        here.writer.start()
        return here.finish()


def volume_lost_before_the_first_round(tree: Path, folder: Path) -> Audit:
    """Start an ingester with no writer, lose Redis' volume, then start the writer."""
    with world(tree, folder, seconds=6.0, backlog=-3.0) as here:
        here.prepare()
        here.ingester.start()
        wait_for(
            lambda: here.pipeline.hosts[0].status()["tip"] > EVENTS // 4, END_SECONDS, "events that exist"
        )
        _lose_volume(here)
        here.writer.start()
        return here.finish()


def _spring_in_one_round(here: World, then: Callable[[], None]) -> None:
    """Trap a writer that ends with a round of all streams, whatever comes between; then let another go on."""
    trap = here.writers.arm(Trap(ACK, 2, Action.LOSE_COMMAND, then))
    here.writer.start("--once")
    wait_for(trap.sprung.is_set, END_SECONDS, "the writer's second ack of likes")
    here.expect("the writer of one round", here.writer.wait())
    here.writer.start()


def _wait_checkpoint(here: World, moves: int) -> None:
    checkpoint = here.pipeline.root / ".checkpoint" / "posts.json"
    seen: set[bytes] = set()

    def has_moved() -> bool:
        if checkpoint.exists():
            seen.add(checkpoint.read_bytes())
        return len(seen) > moves

    wait_for(has_moved, END_SECONDS, "a checkpoint that moves")


def _back_up(here: World, copy: Path) -> None:
    server = here.pipeline.redis
    server.kill()
    shutil.copytree(server.folder / "data", copy)
    server.start()


def _restore(here: World, copy: Path) -> None:
    server = here.pipeline.redis
    server.kill()
    server.lose_volume()
    shutil.copytree(copy, server.folder / "data")
    server.start()


def _lose_volume(here: World) -> None:
    here.pipeline.redis.kill()
    here.pipeline.redis.lose_volume()
    here.pipeline.redis.start()
