"""Pure: whether the rows of `gaps` are those that there must be, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.shared.event import GapReason
from testing.proof.chaos.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testing.proof.chaos.plan import Plan

HOLES = (GapReason.CURSOR_TOO_OLD, GapReason.HOST_CHANGED)


class Row(NamedTuple):
    """One row, times in Unix microseconds."""

    from_us: int
    to_us: int
    reason: str


def complaints(plan: Plan, rows: Sequence[Row], missing_us: Iterable[int]) -> list[str]:
    """Say what is wrong with the rows; `missing_us` are the times of the events that are not archived.

    An event may be missing only where the look-back was exceeded; then a row covers it, and each such row
    covers a missing one. Another server behind a v2 host's name cannot be told from a hole: one row for it.
    """
    starts = [row for row in rows if row.reason == GapReason.ARCHIVE_START]
    holes = [row for row in rows if row.reason in HOLES]
    others = [row for row in rows if row not in starts and row not in holes]
    wrong = [f"unexplained: {row}" for row in others]
    # A start that Redis forgot before every stream had a checkpoint is noted once more.
    if not 1 <= len(starts) <= 1 + plan.loses_data:
        wrong.append(f"{len(starts)} rows for the archive start")
    missing = list(missing_us)
    if Kind.LOOK_BACK in plan.kinds:
        wrong += [f"covers nothing: {row}" for row in holes if not any(_covers(row, at) for at in missing)]
        if not holes:
            wrong.append("no row for the look-back that was exceeded")
    else:
        expected = int(Kind.NAMESPACE in plan.kinds and plan.kind == "v2")
        if len(holes) != expected:
            wrong.append(f"{len(holes)} rows where {expected} was to be expected: {holes}")
    return wrong


def uncovered(plan: Plan, rows: Iterable[Row], missing_us: Iterable[int]) -> int:
    """Count the missing events that no row accounts for."""
    holes = [row for row in rows if row.reason in HOLES] if Kind.LOOK_BACK in plan.kinds else []
    return sum(not any(_covers(row, at) for row in holes) for at in missing_us)


def _covers(row: Row, time_us: int) -> bool:
    return row.from_us <= time_us <= row.to_us
