"""The rules of resuming: starts, checkpoints, epochs."""

from __future__ import annotations

from testing.proof.mutants import setbacks
from testing.proof.mutants.mutant import Mutant
from testing.proof.mutants.places import EPOCH, PUSH, WRITE
from testing.proof.mutants.tree import Edit

ROUND_OUTLIVES_ERROR = Edit(
    WRITE,
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
                WRITE,
                "write_checkpoint(self._settings.archive_root, stream, before.raw)",
                "write_checkpoint(self._settings.archive_root, stream, after.raw)",
            ),
        ),
        setbacks.volume_lost_after_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "newest_checkpoint",
        "checkpoint per stream (resumed from the newest of them)",
        (
            Edit(
                EPOCH,
                "    oldest = min(checkpoints.values(), key=Cursor.age)\n",
                "    oldest = max(checkpoints.values(), key=Cursor.age)\n",
            ),
        ),
        setbacks.volume_lost_while_a_stream_lags,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "born_by_ingester",
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
                "            return Start(Cursor(time_us=now_us, epoch=1, push=0), [])\n",
            ),
        ),
        setbacks.volume_lost_before_the_first_round,
        "lost",
    ),
    Mutant(
        "round_outlives_error",
        "checkpoint voided by an error in its round",
        (ROUND_OUTLIVES_ERROR,),
        setbacks.backup_restored_in_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "round_outlives_error_alone",
        "checkpoint voided by an error (alone: the cursor read again covers)",
        (ROUND_OUTLIVES_ERROR,),
        setbacks.volume_lost_in_a_round,
        "none",
        allowed="doubled",
    ),
    Mutant(
        "round_outlives_error_unread",
        "checkpoint voided by an error, and the cursor read again (both)",
        (
            ROUND_OUTLIVES_ERROR,
            Edit(
                WRITE,
                "        if after.raw is None or after.epoch != before.epoch:\n",
                "        if not after:\n",
            ),
        ),
        setbacks.volume_lost_in_a_round,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "epoch_from_backup",
        "a new epoch begins at the oldest checkpoint (at a restored cursor)",
        (
            Edit(
                EPOCH,
                "    push = max(stored or newest, newest, key=Cursor.age).push\n",
                "    oldest = stored or oldest\n"
                "    push = max(stored or newest, newest, key=Cursor.age).push\n",
            ),
        ),
        setbacks.backup_restored_after_volume_lost,
        "lost",
        allowed="doubled",
    ),
    Mutant(
        "checkpoints_not_lowered",
        "checkpoints beyond a new epoch's cursor set back",
        (
            # Nothing is older than the oldest, so none is set back.
            Edit(EPOCH, "if checkpoint.age() > cursor.age())", "if checkpoint.age() < cursor.age())"),
        ),
        setbacks.volume_lost_twice_while_a_stream_lags,
        "lost",
        allowed="doubled",
    ),
)
