"""The table of rules: each row leaves rules out, within sufficient bounds, and names the violation.

The violations are results of running the model; the texts are those of the design's table. Some rows allow
only some kinds of faults, which keeps the exploration small or the trace that of the design.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from testing.proof.model.explore import Exploration, breadth_first
from testing.proof.model.invariants import Violation, user_visible
from testing.proof.model.labels import Fault
from testing.proof.model.rules import ALL, Bounds, Model

CLAIMS_DELAYED = (Fault.CLAIM_DELAYED, Fault.VOLUME_LOST)
SETBACKS = (Fault.BACKUP_MADE, Fault.BACKUP_RESTORED, Fault.VOLUME_LOST)
TWO = (0, 0)
THREE = (0, 0, 0)
BOTH = (1, 0)
MIXED = (0, 1, 0)


@dataclass(frozen=True)
class Row:
    """One rule, or several that cover each other."""

    left_out: tuple[str, ...]
    rule: str
    """As in the design's table."""
    violation: Violation
    bounds: Bounds

    @property
    def name(self) -> str:
        """The name on the command line."""
        return "+".join(self.left_out)

    @cached_property
    def found(self) -> Exploration:
        """Explore without the rules until a violation that a user would see."""
        return breadth_first(Model(self.bounds, ALL.without(*self.left_out)), user_visible)


ROWS = (
    Row(
        ("cursor_with_events",),
        "cursor in the same transaction (stored after the events)",
        Violation.DOUBLED,
        Bounds(TWO, 1),
    ),
    Row(
        ("cursor_with_events", "events_first"),
        "cursor in the same transaction (stored before the events)",
        Violation.LOST,
        Bounds(TWO, 1),
    ),
    Row(("no_push_retry",), "WATCH on push, or retries left on", Violation.DOUBLED, Bounds(TWO, 1)),
    Row(("watch_on_push",), "WATCH on push, alone: the fence covers it", Violation.NONE, Bounds(THREE, 1)),
    Row(("fence",), "fence, alone: both WATCHes cover", Violation.NONE, Bounds(THREE, 1)),
    Row(("fence", "watch_on_push"), "fence and WATCH on push", Violation.DOUBLED, Bounds(TWO, 1)),
    Row(
        ("clear_window",),
        "dropping dedup window and pending batch on a reset",
        Violation.LOST,
        Bounds(TWO, 2, kinds=(Fault.BACKUP_MADE, Fault.BACKUP_RESTORED)),
    ),
    Row(("one_push_in_flight",), "one push in flight", Violation.LOST, Bounds(TWO, 1)),
    Row(("dedup_by_identity",), "identity instead of <=", Violation.LOST, Bounds(TWO, 1)),
    Row(("rewind_on_other_host",), "rewind on another host", Violation.LOST, Bounds(TWO, 1)),
    Row(("start_by_writer",), "start by the writer", Violation.LOST, Bounds(TWO, 1)),
    Row(("appendfsync_always",), "always (everysec)", Violation.DOUBLED, Bounds(TWO, 1)),
    Row(
        ("no_ack_retry",), "conditional ack (sent again after a lost reply)", Violation.LOST, Bounds(THREE, 1)
    ),
    Row(
        ("watch_on_ack",),
        "one WATCH...EXEC at a time (ended too early), alone: the fence covers it",
        Violation.NONE,
        Bounds(THREE, 1),
    ),
    Row(("fence", "watch_on_ack"), "fence, and one WATCH...EXEC at a time", Violation.LOST, Bounds(THREE, 1)),
    Row(("ack_last",), "ack last", Violation.LOST, Bounds(TWO, 1, kinds=(Fault.WRITER_KILLED,))),
    Row(("fsync_parents",), "parent fsync", Violation.LOST, Bounds(TWO, 1)),
    Row(("chunk_size_in_key",), "C in the key", Violation.DOUBLED, Bounds(TWO, 1)),
    Row(("deterministic_names",), "name from input", Violation.DOUBLED, Bounds(TWO, 1)),
    Row(
        ("checkpoint_before_claim",),
        "checkpoint from the cursor before its claim",
        Violation.LOST,
        Bounds(TWO, 1),
    ),
    Row(
        ("checkpoint_per_stream",),
        "checkpoint per stream (resumed from the newest of them)",
        Violation.LOST,
        Bounds(BOTH, 1),
    ),
    Row(
        ("checkpoint_only_if_acked",),
        "checkpoint per stream (moved by a partial round)",
        Violation.LOST,
        Bounds(BOTH, 1),
    ),
    Row(
        ("error_voids_round",),
        "checkpoint voided by an error in its round",
        Violation.LOST,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("reread_cursor",),
        "cursor read again before a checkpoint, alone: the voided round covers it",
        Violation.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("error_voids_round", "reread_cursor"),
        "checkpoint voided by an error in its round, cursor not read again",
        Violation.LOST,
        Bounds(TWO, 1),
    ),
    Row(
        ("rescan_after_rename",),
        "a scan behind RENAMENX, alone: the fence covers it",
        Violation.NONE,
        Bounds(TWO, 2, kinds=CLAIMS_DELAYED),
    ),
    Row(
        ("fence", "rescan_after_rename"),
        "fence, and a scan behind RENAMENX",
        Violation.LOST,
        Bounds(TWO, 2, kinds=CLAIMS_DELAYED),
    ),
    Row(
        ("no_compaction_while_claimed",),
        "no compaction while a claim exists",
        Violation.DOUBLED,
        Bounds(TWO, 2, kinds=(Fault.WRITER_KILLED, Fault.COMPACTED)),
    ),
    Row(
        ("wait_for_confirmation",),
        "the ingester waits until a writer confirms the cursor: no violation within these bounds",
        Violation.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("note_epoch",),
        "an epoch is noted before it begins: only the accounts, which are not modelled, need it",
        Violation.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("epoch_from_checkpoint",),
        "a new epoch begins at the oldest checkpoint, not at a restored cursor",
        Violation.LOST,
        Bounds(TWO, 4, kinds=SETBACKS),
    ),
    Row(
        ("lower_checkpoints",),
        "checkpoints beyond a new epoch's cursor set back",
        Violation.LOST,
        Bounds(BOTH, 2, kinds=(Fault.VOLUME_LOST,)),
    ),
)
"""All rows, in the order in which an event passes the rules."""
