"""Scenarios: each runs a pipeline from a source tree under a few faults and returns the audit of its archive.

Every fault waits for an event (an EXEC, a cursor, a checkpoint), never for a span of time.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from testing.harness.proxy import Action, Trap
from testing.harness.waiting import wait_for
from testing.proof.mutants.environment import END_SECONDS, Environment, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.proof.audit import Audit

    Scenario = Callable[[Path, Path], Audit]
    """Takes the source tree to run and an empty folder."""

PUSH = b"archive:buffer:"
ACK = b"archive:claim:likes:"
OTHER_CHUNK = "150"


def push_applied_ingester_killed(tree: Path, folder: Path) -> Audit:
    """Kill the ingester when Redis has run its third push, before the reply."""
    return _push_trapped(tree, folder, Action.LOSE_REPLY, kill=True)


def push_not_applied_ingester_killed(tree: Path, folder: Path) -> Audit:
    """Kill the ingester before its third push reaches Redis."""
    return _push_trapped(tree, folder, Action.LOSE_COMMAND, kill=True)


def reply_to_push_lost(tree: Path, folder: Path) -> Audit:
    """Lose the reply to a push that Redis has run, and the connection; the ingester continues."""
    return _push_trapped(tree, folder, Action.LOSE_REPLY, kill=False)


def reply_to_ack_lost(tree: Path, folder: Path) -> Audit:
    """Lose the reply to an ack that Redis has run, and the connection; the writer continues."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        _spring(env, Trap(ACK, 2, Action.LOSE_REPLY))
        return env.finish()


def ack_applied_writer_killed(tree: Path, folder: Path) -> Audit:
    """Kill the writer when Redis has run an ack, before the reply."""
    return _ack_trapped(tree, folder, Action.LOSE_REPLY)


def ack_not_applied_writer_killed(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack; start it again."""
    return _ack_trapped(tree, folder, Action.LOSE_COMMAND)


def ack_not_applied_chunk_size_changed(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack; start it again with another chunk size."""
    return _ack_trapped(tree, folder, Action.LOSE_COMMAND, WRITER_CHUNK=OTHER_CHUNK)


def ack_not_applied_hour_prepared(tree: Path, folder: Path) -> Audit:
    """Kill the writer between its commit and the ack; prepare the part's hour before it starts again."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        _spring(env, Trap(ACK, 2, Action.LOSE_COMMAND, env.writer.kill))
        env.prepare_hours()
        env.writer.start()
        return env.finish()


def old_ack_arrives_late(tree: Path, folder: Path) -> Audit:
    """Kill the writer, delay its ack, and send it to Redis when the next writer is about to ack."""
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        _spring(env, Trap(ACK, 2, Action.DELAY, env.writer.kill))
        env.writers.arm(Trap(ACK, 1, Action.PASS, env.writers.release))
        env.writer.start()
        return env.finish()


def old_push_arrives_late(tree: Path, folder: Path) -> Audit:
    """Kill the ingester, delay its push, and send it to Redis when the next ingester is about to push."""
    with environment(tree, folder) as env:
        env.prepare()
        env.confirm()
        delayed = env.ingesters.arm(Trap(PUSH, 3, Action.DELAY, env.ingester.kill))
        env.ingester.start()
        wait_for(delayed.sprung.is_set, END_SECONDS, "the third push")
        env.ingesters.arm(Trap(PUSH, 1, Action.PASS, env.ingesters.release))
        env.ingester.start()
        env.writer.start()
        return env.finish()


def cursor_touched(tree: Path, folder: Path) -> Audit:
    """Store the cursor unchanged from another connection between an ingester's WATCH and its EXEC."""
    with environment(tree, folder) as env:
        env.prepare()
        env.confirm()

        def touch() -> None:
            with contextlib.closing(env.pipeline.tools()) as tools:
                tools.eval("redis.call('SET', KEYS[1], redis.call('GET', KEYS[1]))", 1, "archive:cursor")

        touched = env.ingesters.arm(Trap(PUSH, 3, Action.PASS, touch))
        env.ingester.start()
        wait_for(touched.sprung.is_set, END_SECONDS, "the third push")
        env.writer.start()
        return env.finish()


def _push_trapped(tree: Path, folder: Path, action: Action, *, kill: bool) -> Audit:
    with environment(tree, folder) as env:
        env.prepare()
        env.confirm()
        trap = Trap(PUSH, 3, action, env.ingester.kill if kill else lambda: None)
        env.ingesters.arm(trap)
        env.ingester.start()
        wait_for(trap.sprung.is_set, END_SECONDS, "the third push")
        if kill:
            env.ingester.start()
        env.writer.start()
        return env.finish()


def _ack_trapped(tree: Path, folder: Path, action: Action, **settings: str) -> Audit:
    with environment(tree, folder) as env:
        env.prepare()
        env.push_all()
        _spring(env, Trap(ACK, 2, action, env.writer.kill))
        env.writer.settings |= settings
        env.writer.start()
        return env.finish()


def _spring(env: Environment, trap: Trap) -> None:
    """Start the writer and wait until the trap has sprung."""
    env.writers.arm(trap)
    env.writer.start()
    wait_for(trap.sprung.is_set, END_SECONDS, "the writer's second ack of likes")
