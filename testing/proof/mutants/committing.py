"""Mutants of the writer: claims, names of parts, acks, syncs."""

from __future__ import annotations

from testing.proof.mutants import data_loss
from testing.proof.mutants import scenarios as when
from testing.proof.mutants.mutant import (
    CLAIMS,
    COMMIT,
    KEYS,
    LAYOUT,
    NO_FENCE,
    REDIS_CONF,
    SERVER,
    WRITER,
    Edit,
    Mutant,
)

ACK = '        replies = self._connection.every(("MULTI",), ("LTRIM", claim.key, count, -1), ("EXEC",))\n'
NO_WATCH_ON_CLAIM = Edit(CLAIMS, '        self._connection.one("WATCH", claim.key)\n', "")
COMMIT_BEGUN = """\
                    if commits:
                        commits[-1].result()
                        self._health.progress("running")
                    commits.append(
                        self._executor.submit(self._commit_chunk, encoded, origin, attempted=attempted)
                    )
"""
CLAIMS_OF_STREAM = "        for claim in self._claims.find(stream):\n"

MUTANTS = (
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
            # One chunk an ack; its commit begins after the ack.
            Edit(
                COMMIT,
                COMMIT_BEGUN,
                "                    break\n"
                "            if count:\n"
                "                self._claims.ack(claim, count)\n"
                "                commits.append(self._executor.submit(\n"
                "                    self._commit_chunk, encoded, origin, attempted=attempted))\n",
            ),
            Edit(
                COMMIT,
                "            reach(CrashPoint.ACK_BEFORE_TRIM)\n            self._claims.ack(claim, count)\n",
                "",
            ),
        ),
        when.ack_applied_writer_killed,
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
        when.ack_not_applied_chunk_size_changed,
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
        when.ack_not_applied_writer_killed,
        "doubled",
    ),
    Mutant(
        "swap_while_claimed",
        "no compaction while a claim exists",
        (
            Edit(
                WRITER,
                "        self._swap(stream)\n        self._check_balance(",
                "        self._check_balance(",
            ),
            Edit(WRITER, CLAIMS_OF_STREAM, f"        self._swap(stream)\n{CLAIMS_OF_STREAM}"),
            # Without waiting for the ledger, which is ready only after the first round.
            Edit(WRITER, " or not self._ledger.is_counted:\n", ":\n"),
        ),
        when.ack_not_applied_hour_prepared,
        "doubled",
    ),
    Mutant("no_fence", "fence (alone: WATCH covers it)", (NO_FENCE,), when.old_ack_arrives_late, "none"),
    Mutant(
        "watch_ended",
        "one WATCH…EXEC at a time: its WATCH ended (alone: the fence covers it)",
        (NO_WATCH_ON_CLAIM,),
        when.old_ack_arrives_late,
        "none",
    ),
    Mutant(
        "no_fence_watch_ended",
        "fence, and one WATCH…EXEC at a time (both)",
        (NO_FENCE, NO_WATCH_ON_CLAIM),
        when.old_ack_arrives_late,
        "lost",
    ),
    Mutant(
        "everysec",
        "`always` (everysec)",
        (
            Edit(REDIS_CONF, "\nappendfsync always\n", "\nappendfsync everysec\n"),
            Edit(
                SERVER,
                '    "appendfsync": ("always", "anything less loses acknowledged events on power loss"),\n',
                "",
            ),
        ),
        data_loss.power_cut_after_commits,
        "doubled",
    ),
    Mutant(
        "no_parent_fsync",
        "parent fsync",
        (
            Edit(
                COMMIT,
                "        for directory in up_to(root, paths):\n",
                "        for directory in {path.parent for path in paths}:\n",
            ),
        ),
        data_loss.power_cut_after_commits,
        "lost",
    ),
)
