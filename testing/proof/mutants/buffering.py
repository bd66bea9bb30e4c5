"""Mutants of the ingester: the push transaction, its cursor, deduplication by identity."""

from __future__ import annotations

from testing.proof.mutants import data_loss
from testing.proof.mutants import scenarios as when
from testing.proof.mutants.mutant import (
    INGEST,
    NO_FENCE,
    PENDING,
    PUSH,
    Edit,
    Mutant,
)

ASK = (
    '        replies = self._connection.ask(*_transaction(batch, mine), ("WATCH", CURSOR), ("GET", CURSOR))\n'
)

MUTANTS = (
    Mutant(
        "cursor_after_events",
        "cursor in the same transaction (written after the events)",
        (
            Edit(
                PUSH,
                '    commands.append(("SET", CURSOR, cursor))\n    if batch.recent',
                '    commands += [("EXEC",), ("MULTI",), ("SET", CURSOR, cursor)]\n    if batch.recent',
            ),
        ),
        when.push_applied_ingester_killed,
        "doubled",
    ),
    Mutant(
        "cursor_before_events",
        "cursor in the same transaction (written before the events)",
        (
            Edit(
                PUSH,
                '    commands: list[Command] = [("MULTI",)]\n    commands += [',
                '    commands: list[Command] = [("SET", CURSOR, cursor), ("UNWATCH",), ("MULTI",)]\n'
                "    commands += [",
            ),
        ),
        when.push_not_applied_ingester_killed,
        "lost",
    ),
    Mutant(
        "push_resent",
        "WATCH on push, or retries left on",
        (
            Edit(
                PUSH,
                ASK,
                "        try:\n"
                f"    {ASK}"
                "        except Transient:\n"
                "            self._connection.open()\n"
                f"    {ASK}",
            ),
        ),
        when.reply_to_push_lost,
        "doubled",
    ),
    Mutant(
        "nil_ignored",
        "one push in flight (the next push is sent after a nil)",
        (
            Edit(
                PUSH,
                "        if errors or done is None or stored != mine:\n",
                "        if errors or (done is not None and stored != mine):\n",
            ),
            Edit(PUSH, "refuse_partial(done)", "refuse_partial(done or ())"),
        ),
        when.cursor_touched,
        "lost",
    ),
    Mutant(
        "window_kept",
        "dropping dedup window and pending batch on a reset",
        (
            Edit(
                INGEST,
                "                self._dedup.refill(start.recent)\n",
                "                if not len(self._dedup):\n"
                "                    self._dedup.refill(start.recent)\n",
            ),
        ),
        data_loss.redis_lost_its_last_pushes,
        "lost",
    ),
    Mutant(
        "older_dropped",
        "identity instead of `<=`",
        (
            Edit(
                PENDING,
                "is_known = event.identity in known\n",
                "is_known = event.identity in known or event.time_us <= connection.plan.cursor.time_us\n",
            ),
        ),
        when.push_applied_ingester_killed,
        "lost",
    ),
    Mutant(
        "no_fence_push_unwatched",
        "fence, and WATCH on push (both)",
        (
            NO_FENCE,
            Edit(PUSH, 'self._connection.every(("WATCH", CURSOR), ', 'self._connection.every(("PING",), '),
            Edit(PUSH, 'mine), ("WATCH", CURSOR), ("GET", CURSOR))', 'mine), ("PING",), ("GET", CURSOR))'),
        ),
        when.old_push_arrives_late,
        "doubled",
    ),
)
