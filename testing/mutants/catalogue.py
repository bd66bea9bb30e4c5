"""The rules of design.md §5b, each with what takes it out of the code and the scenario that shows it."""

from __future__ import annotations

from testing.mutants import scenarios as when
from testing.mutants.mutant import Mutant
from testing.mutants.tree import Edit

PUSH = "services/shared/buffer/push.py"
CLAIMS = "services/shared/buffer/claims.py"
KEYS = "services/shared/buffer/keys.py"
CONNECTION = "services/shared/buffer/connection.py"
DRAFT = "services/jetstream/draft.py"
INGEST = "services/jetstream/ingest.py"
WRITE = "services/data_writer/write.py"
EPOCH = "services/data_writer/epoch.py"
LAYOUT = "services/data_writer/layout.py"

ASK = (
    '        replies = self._connection.ask(*_transaction(batch, mine), ("WATCH", CURSOR), ("GET", CURSOR))\n'
)
ACK = '        replies = self._connection.ask(("MULTI",), ("LTRIM", claim.key, count, -1), ("EXEC",))\n'
NO_FENCE = Edit(CONNECTION, "        if fence:\n", "        if fence and not self.user:\n")
NO_WATCH_ON_CLAIM = Edit(CLAIMS, '        self._connection.one("WATCH", claim.key)\n', "")


MUTANTS = (
    Mutant(
        "cursor_after_events",
        "cursor in the same transaction (written after the events)",
        (
            Edit(
                PUSH,
                '    commands.append(("SET", CURSOR, cursor))\n    if batch.remembered',
                '    commands += [("EXEC",), ("MULTI",), ("SET", CURSOR, cursor)]\n    if batch.remembered',
            ),
        ),
        when.push_carried_out_ingester_killed,
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
        when.push_not_carried_out_ingester_killed,
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
        "one push in flight (the next is pushed after a nil)",
        (
            Edit(
                PUSH,
                "        if errors or done is None or stored != mine:\n",
                "        if errors or (done is not None and stored != mine):\n",
            ),
            Edit(PUSH, "[one for one in done if", "[one for one in done or () if"),
        ),
        when.cursor_touched,
        "lost",
    ),
    Mutant(
        "memory_kept",
        "dropping memory and pending batch on a reset",
        (
            Edit(
                INGEST,
                "                self._memory.refill(start.remembered)\n",
                "                if not len(self._memory):\n"
                "                    self._memory.refill(start.remembered)\n",
            ),
        ),
        when.redis_lost_its_last_pushes,
        "lost",
    ),
    Mutant(
        "older_dropped",
        "identity instead of `<=`",
        (
            Edit(
                DRAFT,
                "known = event.identity in self._memory or event.identity in self._fresh\n",
                "known = event.identity in self._memory or event.time_us <= source.plan.since.time_us\n",
            ),
        ),
        when.push_carried_out_ingester_killed,
        "lost",
    ),
    Mutant(
        "ack_resent",
        "conditional ack",
        (
            Edit(
                CLAIMS,
                ACK,
                "        try:\n"
                f"    {ACK}"
                "        except Transient:\n"
                "            self._connection.open()\n"
                f"    {ACK}",
            ),
        ),
        when.reply_to_ack_lost,
        "lost",
    ),
    Mutant(
        "ack_first",
        "ack last",
        (
            Edit(
                WRITE,
                "            size += self._commit(claim, elements, before, attempted=attempted)\n"
                "            self._claims.ack(claim, len(elements))\n",
                "            self._claims.ack(claim, len(elements))\n"
                "            size += self._commit(claim, elements, before, attempted=attempted)\n",
            ),
        ),
        when.ack_carried_out_writer_killed,
        "lost",
    ),
    Mutant(
        "chunk_not_in_key",
        "C in the key",
        (
            Edit(KEYS, 'f"archive:claim:{stream}:{chunk}"', 'f"archive:claim:{stream}:1"'),
            Edit(
                CLAIMS, "    return int(size)\n", '    return int(__import__("os").environ["WRITER_CHUNK"])\n'
            ),
        ),
        when.ack_not_carried_out_chunk_changed,
        "doubled",
    ),
    Mutant(
        "name_from_clock",
        "name from input",
        (
            Edit(
                LAYOUT,
                'f"{self.first_us:016d}-{self.last_us:016d}-{self.count}-{self.id}.parquet"',
                'f"{__import__("time").time_ns()}.parquet"'.replace('"time"', "'time'"),
            ),
        ),
        when.ack_not_carried_out_writer_killed,
        "doubled",
    ),
    Mutant(
        "frontier_after_claim",
        "frontier from the cursor before its claim",
        (
            Edit(
                WRITE,
                "write_frontier(self._settings.archive_root, stream, before.raw)",
                "write_frontier(self._settings.archive_root, stream, after.raw)",
            ),
        ),
        when.volume_lost_after_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "newest_frontier",
        "frontier per stream (resumed from the newest of them)",
        (
            Edit(
                EPOCH,
                "    oldest = min(frontiers.values(), key=Cursor.age)\n",
                "    oldest = max(frontiers.values(), key=Cursor.age)\n",
            ),
        ),
        when.volume_lost_while_a_stream_lags,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "born_by_ingester",
        "birth by the writer",
        (
            Edit(
                PUSH,
                "        if stored is None or decode_epoch(epoch).run_id != self._connection.run_id:\n"
                "            return None\n",
                "        if stored is None:\n"
                "            from services.shared.buffer.cursor import Epoch\n"
                '            now_us = __import__("time").time_ns() // 1000\n'
                '            self._connection.one("SET", EPOCH, Epoch(1, self._connection.run_id).encode())\n'
                "            return Start(Cursor(time_us=now_us, epoch=1, push=0), [])\n",
            ),
        ),
        when.volume_lost_before_the_first_round,
        "lost",
    ),
    Mutant("no_fence", "fence (alone: the WATCH covers)", (NO_FENCE,), when.old_ack_lands_late, "none"),
    Mutant(
        "watch_ended",
        "one WATCH…EXEC at a time: its WATCH ended (alone: the fence covers)",
        (NO_WATCH_ON_CLAIM,),
        when.old_ack_lands_late,
        "none",
    ),
    Mutant(
        "no_fence_watch_ended",
        "fence, and one WATCH…EXEC at a time (both)",
        (NO_FENCE, NO_WATCH_ON_CLAIM),
        when.old_ack_lands_late,
        "lost",
    ),
)

NOT_SHOWN = {
    "`always` (everysec)": "a killed process loses nothing that the kernel has; only power loss shows it",
    "parent fsync": "as above: needs a power cut, or a filesystem that plays one",
    "frontier voided by an error in its round": "needs Redis to lose its data inside one round",
    "no compaction while a claim exists": "there is no compaction yet",
}
"""Rules that no kill of a process shows here, and why."""
