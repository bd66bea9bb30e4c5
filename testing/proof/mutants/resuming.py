"""Mutants of the start and of recovery: checkpoints, epochs."""

from __future__ import annotations

from testing.proof.mutants import data_loss
from testing.proof.mutants.mutant import (
    PUSH,
    RECOVER,
    WRITER,
    Edit,
    Mutant,
)

ROUND_CONTINUED = Edit(
    WRITER,
    "        committed = [stream for stream in streams if self._write(stream, before)]\n",
    "        committed = []\n"
    "        for stream in streams:\n"
    "            try:\n"
    "                done = self._write(stream, before)\n"
    "            except Transient:\n"
    "                self._claims.open()\n"
    "                done = self._write(stream, before)\n"
    "            committed += [stream] * done\n",
)

MUTANTS = (
    Mutant(
        "checkpoint_after_claim",
        "checkpoint from the cursor before its claim",
        (
            Edit(
                WRITER,
                "write_checkpoint(self._settings.archive_root, stream, before.raw)",
                "write_checkpoint(self._settings.archive_root, stream, after.raw)",
            ),
        ),
        data_loss.volume_lost_after_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "newest_checkpoint",
        "checkpoint per stream (resumed from the newest of them)",
        (
            Edit(
                RECOVER,
                "    oldest = min(checkpoints.values(), key=Cursor.age)\n",
                "    oldest = max(checkpoints.values(), key=Cursor.age)\n",
            ),
        ),
        data_loss.volume_lost_while_a_stream_lags,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "started_by_ingester",
        "start by the writer",
        (
            Edit(
                PUSH,
                "        if stored is None or decode_epoch(epoch).run_id != self._connection.run_id:\n"
                "            return None\n",
                "        if stored is None:\n"
                "            from services.shared.cursor import Epoch\n"
                '            now_us = __import__("time").time_ns() // 1000\n'
                '            self._connection.one("SET", EPOCH, Epoch(1, self._connection.run_id).encode())\n'
                "            return ResumePoint(Cursor(time_us=now_us, epoch=1, push=0), [])\n",
            ),
        ),
        data_loss.volume_lost_before_the_first_round,
        "lost",
    ),
    Mutant(
        "round_continued",
        "checkpoint voided by an error in its round",
        (ROUND_CONTINUED,),
        data_loss.backup_restored_in_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "round_continued_alone",
        "checkpoint voided by an error (alone: reading the cursor again covers it)",
        (ROUND_CONTINUED,),
        data_loss.volume_lost_in_a_round,
        "none",
        allowed="doubled",
    ),
    Mutant(
        "round_continued_unread",
        "checkpoint voided by an error, and the cursor read again (both)",
        (
            ROUND_CONTINUED,
            Edit(
                WRITER,
                "        if after.raw is None or after.epoch != before.epoch:\n",
                "        if not after:\n",
            ),
        ),
        data_loss.volume_lost_in_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "epoch_from_backup",
        "a new epoch begins at the oldest checkpoint (at a restored cursor)",
        (
            Edit(
                RECOVER,
                "    push = max(stored or newest, newest, key=Cursor.age).push\n",
                "    oldest = stored or oldest\n"
                "    push = max(stored or newest, newest, key=Cursor.age).push\n",
            ),
        ),
        data_loss.backup_restored_after_volume_lost,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "checkpoints_not_lowered",
        "checkpoints beyond a new epoch's cursor set back",
        (
            # No checkpoint is older than the oldest, so none is set back.
            Edit(RECOVER, "if checkpoint.age() > cursor.age())", "if checkpoint.age() < cursor.age())"),
        ),
        data_loss.volume_lost_twice_while_a_stream_lags,
        "lost",
        allowed="doubled",
    ),
)
