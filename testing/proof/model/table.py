"""What each rule is good for: the rules left out, the bounds in which that shows, and the harm it does.

The harm is what running the model gave; the words are those of the design's table. Where a row allows only
some kinds of faults, it is to keep the exploration small, or the trace to what the design tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from testing.proof.model.bounds import Bounds, Model
from testing.proof.model.explore import Found, breadth_first
from testing.proof.model.harm import Harm, harm
from testing.proof.model.labels import Fault
from testing.proof.model.rules import ALL

CLAIMS_LATE = (Fault.CLAIM_LATE, Fault.VOLUME_LOST)
SETBACKS = (Fault.COPY_MADE, Fault.COPY_RESTORED, Fault.VOLUME_LOST)
TWO = (0, 0)
THREE = (0, 0, 0)
BOTH = (1, 0)
MIXED = (0, 1, 0)


@dataclass(frozen=True)
class Row:
    """One rule, or several that cover for each other."""

    left_out: tuple[str, ...]
    rule: str
    """As the design names it."""
    harm: Harm
    bounds: Bounds

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return "+".join(self.left_out)

    @cached_property
    def found(self) -> Found:
        """Explore without the rule until harm is done; only what a user would find counts."""
        return breadth_first(Model(self.bounds, ALL.without(*self.left_out)), harm)


ROWS = (
    Row(
        ("cursor_with_events",),
        "cursor in the same transaction (stored after the events)",
        Harm.DOUBLED,
        Bounds(TWO, 1),
    ),
    Row(
        ("cursor_with_events", "data_first"),
        "cursor in the same transaction (stored before the events)",
        Harm.LOST,
        Bounds(TWO, 1),
    ),
    Row(("push_once",), "WATCH on push, or retries left on", Harm.DOUBLED, Bounds(TWO, 1)),
    Row(("push_watch",), "WATCH on push, alone: the fence covers", Harm.NONE, Bounds(THREE, 1)),
    Row(("fence",), "fence, alone: both WATCHes cover", Harm.NONE, Bounds(THREE, 1)),
    Row(("fence", "push_watch"), "fence and WATCH on push", Harm.DOUBLED, Bounds(TWO, 1)),
    Row(
        ("forget",),
        "dropping memory and pending batch on a reset",
        Harm.LOST,
        Bounds(TWO, 2, kinds=(Fault.COPY_MADE, Fault.COPY_RESTORED)),
    ),
    Row(("one_push",), "one push in flight", Harm.LOST, Bounds(TWO, 1)),
    Row(("identity",), "identity instead of <=", Harm.LOST, Bounds(TWO, 1)),
    Row(("rewind",), "rewind on another host", Harm.LOST, Bounds(TWO, 1)),
    Row(("start_by_writer",), "start by the writer", Harm.LOST, Bounds(TWO, 1)),
    Row(("always",), "always (everysec)", Harm.DOUBLED, Bounds(TWO, 1)),
    Row(("ack_once",), "conditional ack (sent again after a lost reply)", Harm.LOST, Bounds(THREE, 1)),
    Row(
        ("ack_watch",),
        "one WATCH...EXEC at a time (ended too early), alone: the fence covers",
        Harm.NONE,
        Bounds(THREE, 1),
    ),
    Row(("fence", "ack_watch"), "fence, and one WATCH...EXEC at a time", Harm.LOST, Bounds(THREE, 1)),
    Row(("ack_last",), "ack last", Harm.LOST, Bounds(TWO, 1, kinds=(Fault.WRITER_KILLED,))),
    Row(("parent_sync",), "parent fsync", Harm.LOST, Bounds(TWO, 1)),
    Row(("chunk_in_key",), "C in the key", Harm.DOUBLED, Bounds(TWO, 1)),
    Row(("name_from_input",), "name from input", Harm.DOUBLED, Bounds(TWO, 1)),
    Row(
        ("checkpoint_before_claim",), "checkpoint from the cursor before its claim", Harm.LOST, Bounds(TWO, 1)
    ),
    Row(
        ("checkpoint_per_stream",),
        "checkpoint per stream (resumed from the newest of them)",
        Harm.LOST,
        Bounds(BOTH, 1),
    ),
    Row(("whole_round",), "checkpoint per stream (moved by a partial round)", Harm.LOST, Bounds(BOTH, 1)),
    Row(
        ("void_round",),
        "checkpoint voided by an error in its round",
        Harm.LOST,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("read_again",),
        "cursor read again before a checkpoint, alone: the voided round covers",
        Harm.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("void_round", "read_again"),
        "checkpoint voided by an error in its round, cursor not read again",
        Harm.LOST,
        Bounds(TWO, 1),
    ),
    Row(
        ("scan_again",),
        "a scan behind RENAMENX, alone: the fence covers",
        Harm.NONE,
        Bounds(TWO, 2, kinds=CLAIMS_LATE),
    ),
    Row(
        ("fence", "scan_again"),
        "fence, and a scan behind RENAMENX",
        Harm.LOST,
        Bounds(TWO, 2, kinds=CLAIMS_LATE),
    ),
    Row(
        ("compaction_waits",),
        "no compaction while a claim exists",
        Harm.DOUBLED,
        Bounds(TWO, 2, kinds=(Fault.WRITER_KILLED, Fault.COMPACTED)),
    ),
    Row(
        ("made_sure",),
        "the ingester waits until a writer made sure: no harm seen within these bounds",
        Harm.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("note_epoch",),
        "an epoch is noted before it begins: no harm seen but to the accounts, which are not modelled",
        Harm.NONE,
        Bounds(TWO, 2, kinds=SETBACKS),
    ),
    Row(
        ("from_checkpoint",),
        "a new epoch begins at the oldest checkpoint, not at a restored cursor",
        Harm.LOST,
        Bounds(TWO, 4, kinds=SETBACKS),
    ),
    Row(
        ("lower_checkpoints",),
        "checkpoints beyond a new epoch's cursor set back",
        Harm.LOST,
        Bounds(BOTH, 2, kinds=(Fault.VOLUME_LOST,)),
    ),
)
"""All of them, in the order of an event's way."""
