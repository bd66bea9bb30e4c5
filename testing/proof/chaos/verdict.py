"""Holds the archive of a run against the truth: lost, doubled, altered, strange, and the gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from testing.harness.truth import stream_of
from testing.proof.audit import audit
from testing.proof.audit.canonical import identity, parse
from testing.proof.audit.compare import EVENT_STREAMS
from testing.proof.audit.rebuild import rebuild_events
from testing.proof.chaos.gaps import Row, complaints, uncovered
from testing.proof.chaos.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.proof.audit import Audit
    from testing.proof.chaos.world import World


@dataclass(frozen=True)
class Verdict:
    """What is in the archive of a run, in events."""

    events: int
    """Distinct ones that there were."""
    lost: int
    """Not archived, and no gap row covers them."""
    on_record: int
    """Not archived because no host had them any more; a gap row says so."""
    doubled: int
    allowed: int
    """Doubled ones that the faults of the run may lead to, at most."""
    cause: Kind | None
    """Which fault that is; a run has one at most."""
    altered: int
    strangers: int
    gaps: tuple[str, ...]
    """What is wrong with the gap rows."""
    audit: str

    @property
    def faults(self) -> list[str]:
        """Everything that is not as promised."""
        counts = {"lost": self.lost, "altered": self.altered, "strangers": self.strangers}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        if self.doubled > self.allowed:
            found.append(f"{self.doubled} doubled, of which {self.allowed} may be")
        return found + [f"gaps: {wrong}" for wrong in self.gaps]


def judge(world: World, total: int) -> Verdict:
    """Judge the archive of a world in which `total` events have happened, and nothing runs any more."""
    root, plan = world.pipeline.root, world.plan
    found = audit(root, truth(world, total))
    rows = _gap_rows(root)
    lost = _sum(found, "lost")
    missing = _missing_us(world, total) if lost and Kind.LOOK_BACK in plan.kinds else []
    unaccounted = uncovered(plan, rows, missing) if missing else lost
    return Verdict(
        events=_sum(found, "truth"),
        lost=unaccounted,
        on_record=lost - unaccounted,
        doubled=_sum(found, "doubled"),
        allowed=sum(allowance.events for allowance in world.allowed) + _again(world),
        cause=world.allowed[0].kind if world.allowed else None,
        altered=_sum(found, "altered"),
        strangers=_sum(found, "strangers"),
        gaps=tuple(complaints(plan, rows, missing)),
        audit=str(found),
    )


def truth(world: World, total: int) -> Iterator[tuple[str, bytes]]:
    """Yield every event as each host may have told it, with its stream; and every reject."""
    traffic = world.traffic(total)
    for view in world.views:
        for i in range(total):
            back_us = sum(back for begin, back in world.rewound if i >= begin)
            frame = traffic.frame_at(i, view, traffic.seen_us(i, view) - back_us)
            yield stream_of(frame), frame
    for frame in world.planted:
        yield "rejects", frame


def _again(world: World) -> int:
    """Rejects may be doubled as events may."""
    return len(world.planted) if world.allowed else 0


def _missing_us(world: World, total: int) -> list[int]:
    archived = {
        identity(event) for stream in EVENT_STREAMS for event in rebuild_events(world.pipeline.root, stream)
    }
    told = (parse(frame) for stream, frame in truth(world, total) if stream != "rejects")
    return [event["time_us"] for event in told if identity(event) not in archived]


def _gap_rows(root: Path) -> list[Row]:
    if not any((root / "raw" / "gaps").glob("**/*.parquet")):
        return []
    asked = "SELECT from_us, to_us, reason FROM read_parquet(?) ORDER BY from_us"
    return [Row(*row) for row in duckdb.execute(asked, [f"{root}/raw/gaps/**/*.parquet"]).fetchall()]


def _sum(found: Audit, name: str) -> int:
    return sum(getattr(stream, name) for stream in found.streams.values())
