"""What happens to a pipeline: each scenario runs the code in a tree and returns the audit of what came of it.

Every moment is a fact waited for (an EXEC, a cursor, a checkpoint), never a span of time.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from testing.harness.proxy import Action, Trap
from testing.harness.waiting import wait_for
from testing.proof.mutants.world import END_SECONDS, World, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.proof.audit import Audit

    Scenario = Callable[[Path, Path], Audit]
    """Takes the tree of the code to run, and an empty folder."""

PUSH = b"archive:buffer:"
ACK = b"archive:claim:likes:"
OTHER_CHUNK = "150"


def push_carried_out_ingester_killed(tree: Path, folder: Path) -> Audit:
    """Kill the ingester when Redis has carried out its third push and nobody has heard of it."""
    return _push_trapped(tree, folder, Action.LOSE_REPLY, kill=True)


def push_not_carried_out_ingester_killed(tree: Path, folder: Path) -> Audit:
    """Kill the ingester when its third push has not reached Redis."""
    return _push_trapped(tree, folder, Action.LOSE_COMMAND, kill=True)


def reply_to_push_lost(tree: Path, folder: Path) -> Audit:
    """Lose the reply to a push that was carried out, and the connection; the ingester lives."""
    return _push_trapped(tree, folder, Action.LOSE_REPLY, kill=False)


def reply_to_ack_lost(tree: Path, folder: Path) -> Audit:
    """Lose the reply to an ack that was carried out, and the connection; the writer lives."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        _spring(here, Trap(ACK, 2, Action.LOSE_REPLY))
        return here.finish()


def ack_carried_out_writer_killed(tree: Path, folder: Path) -> Audit:
    """Kill the writer when Redis has carried out an ack and nobody has heard of it."""
    return _ack_trapped(tree, folder, Action.LOSE_REPLY)


def ack_not_carried_out_writer_killed(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack; the next one starts as it did."""
    return _ack_trapped(tree, folder, Action.LOSE_COMMAND)


def ack_not_carried_out_chunk_changed(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack; the next one is set to another chunk size."""
    return _ack_trapped(tree, folder, Action.LOSE_COMMAND, WRITER_CHUNK=OTHER_CHUNK)


def ack_not_carried_out_hour_prepared(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack, and prepare the part's hour before the next."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        _spring(here, Trap(ACK, 2, Action.LOSE_COMMAND, here.writer.kill))
        here.prepare_hours()
        here.writer.start()
        return here.finish()


def old_ack_lands_late(tree: Path, folder: Path) -> Audit:
    """Kill the writer, hold its ack, and let Redis have it when the next writer is about to ack."""
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        _spring(here, Trap(ACK, 2, Action.DELAY, here.writer.kill))
        here.writers.arm(Trap(ACK, 1, Action.PASS, here.writers.release))
        here.writer.start()
        return here.finish()


def old_push_lands_late(tree: Path, folder: Path) -> Audit:
    """Kill the ingester, hold its push, and let Redis have it when the next ingester is about to push."""
    with world(tree, folder) as here:
        here.prepare()
        here.confirm()
        held = here.ingesters.arm(Trap(PUSH, 3, Action.DELAY, here.ingester.kill))
        here.ingester.start()
        wait_for(held.sprung.is_set, END_SECONDS, "the third push")
        here.ingesters.arm(Trap(PUSH, 1, Action.PASS, here.ingesters.release))
        here.ingester.start()
        here.writer.start()
        return here.finish()


def cursor_touched(tree: Path, folder: Path) -> Audit:
    """Let somebody else store the cursor (as it is) between an ingester's WATCH and its EXEC."""
    with world(tree, folder) as here:
        here.prepare()
        here.confirm()

        def touch() -> None:
            with contextlib.closing(here.pipeline.tools()) as tools:
                tools.eval("redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]))", 1, "archive:cursor")

        touched = here.ingesters.arm(Trap(PUSH, 3, Action.PASS, touch))
        here.ingester.start()
        wait_for(touched.sprung.is_set, END_SECONDS, "the third push")
        here.writer.start()
        return here.finish()


def _push_trapped(tree: Path, folder: Path, action: Action, *, kill: bool) -> Audit:
    with world(tree, folder) as here:
        here.prepare()
        here.confirm()
        trap = Trap(PUSH, 3, action, here.ingester.kill if kill else lambda: None)
        here.ingesters.arm(trap)
        here.ingester.start()
        wait_for(trap.sprung.is_set, END_SECONDS, "the third push")
        if kill:
            here.ingester.start()
        here.writer.start()
        return here.finish()


def _ack_trapped(tree: Path, folder: Path, action: Action, **changed: str) -> Audit:
    with world(tree, folder) as here:
        here.prepare()
        here.push_all()
        _spring(here, Trap(ACK, 2, action, here.writer.kill))
        here.writer.settings |= changed
        here.writer.start()
        return here.finish()


def _spring(here: World, trap: Trap) -> None:
    """Start the writer and wait until it is trapped."""
    here.writers.arm(trap)
    here.writer.start()
    wait_for(trap.sprung.is_set, END_SECONDS, "the writer's second ack of likes")
