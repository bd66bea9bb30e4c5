"""Compares the archive of a run with the truth, checks its gap rows, and finds files and keys left behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from services.shared.event import GapReason
from testing.harness.truth import stream_of
from testing.proof.audit import audit, rebuild_events
from testing.proof.audit.canonical import identity, parse
from testing.proof.audit.compare import EVENT_STREAMS
from testing.proof.chaos.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import redis

    from testing.proof.audit import Audit
    from testing.proof.chaos.environment import Environment
    from testing.proof.chaos.plan import Plan


KNOWN_FILE = re.compile(
    r"raw/\w+/year=.*/hour=\d\d/[^/]+\.parquet|\.state/(id|epoch|locks/[^/]+|checkpoints/[^/]+\.json)"
)
GAP_REASONS = (GapReason.CURSOR_TOO_OLD, GapReason.HOST_CHANGED)


class GapRow(NamedTuple):
    """One row of `gaps`; times in Unix microseconds."""

    from_us: int
    to_us: int
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The result of a comparison, in events."""

    events: int
    """Distinct events of the truth."""
    lost: int
    """Neither archived nor covered by a gap row."""
    covered_by_gap: int
    """Not archived because no host had them any more, and covered by a gap row."""
    doubled: int
    allowed: int
    """The most that may be doubled after the faults of the run."""
    cause: Kind | None
    """The fault that allows it; a run has at most one."""
    altered: int
    unknown: int
    gaps: tuple[str, ...]
    """Errors in the gap rows."""
    audit: str

    @property
    def errors(self) -> list[str]:
        """Everything that breaks a promise."""
        counts = {"lost": self.lost, "altered": self.altered, "unknown": self.unknown}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        if self.doubled > self.allowed:
            found.append(f"{self.doubled} doubled, of which {self.allowed} may be")
        return found + [f"gaps: {error}" for error in self.gaps]


def compare(env: Environment, total: int) -> Verdict:
    """Compare the archive with the first `total` events; nothing may run any more."""
    root, plan = env.pipeline.root, env.plan
    found = audit(root, truth(env, total))
    rows = _gap_rows(root)
    lost = _sum(found, "lost")
    missing = _missing_us(env, total) if lost and Kind.LOOK_BACK in plan.kinds else []
    unaccounted = uncovered(plan, rows, missing) if missing else lost
    return Verdict(
        events=_sum(found, "truth"),
        lost=unaccounted,
        covered_by_gap=lost - unaccounted,
        doubled=_sum(found, "doubled"),
        allowed=sum(allowance.events for allowance in env.allowed) + _doubled_rejects(env),
        cause=env.allowed[0].kind if env.allowed else None,
        altered=_sum(found, "altered"),
        unknown=_sum(found, "unknown"),
        gaps=tuple(gap_errors(plan, rows, missing)),
        audit=str(found),
    )


def truth(env: Environment, total: int) -> Iterator[tuple[str, bytes]]:
    """Yield every event as each host may have sent it, with its stream; and every reject."""
    traffic = env.traffic(total)
    for view in env.views:
        for i in range(total):
            back_us = sum(back for begin, back in env.rewound if i >= begin)
            frame = traffic.frame_at(i, view, traffic.seen_us(i, view) - back_us)
            yield stream_of(frame), frame
    for frame in env.planted:
        yield "rejects", frame


def gap_errors(plan: Plan, rows: Sequence[GapRow], missing_us: Iterable[int]) -> list[str]:
    """Return what is wrong with the rows; `missing_us` are the times of the events that are not archived.

    An event may be missing only where the look-back was exceeded; then a row covers it, and each such row
    covers a missing event. Another server under a v2 host's name looks like a gap and has one row.
    """
    starts = [row for row in rows if row.reason == GapReason.ARCHIVE_START]
    gaps = [row for row in rows if row.reason in GAP_REASONS]
    others = [row for row in rows if row not in starts and row not in gaps]
    errors = [f"unexplained: {row}" for row in others]
    # If Redis loses its data before every stream has a checkpoint, the start is recorded again.
    if not 1 <= len(starts) <= 1 + plan.loses_data:
        errors.append(f"{len(starts)} rows for the archive start")
    missing = list(missing_us)
    if Kind.LOOK_BACK in plan.kinds:
        errors += [
            f"covers no missing event: {row}" for row in gaps if not any(_covers(row, at) for at in missing)
        ]
        if not gaps:
            errors.append("no row for the exceeded look-back")
    else:
        expected = int(Kind.NAMESPACE in plan.kinds and plan.kind == "v2")
        if len(gaps) != expected:
            errors.append(f"{len(gaps)} rows instead of {expected}: {gaps}")
    return errors


def uncovered(plan: Plan, rows: Iterable[GapRow], missing_us: Iterable[int]) -> int:
    """Count the missing events that no row covers."""
    gaps = [row for row in rows if row.reason in GAP_REASONS] if Kind.LOOK_BACK in plan.kinds else []
    return sum(not any(_covers(row, at) for row in gaps) for at in missing_us)


def unknown_files(root: Path) -> list[str]:
    """Return the files of an archive that are neither parts, checkpoints, locks, id nor epoch."""
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in files if not KNOWN_FILE.fullmatch(name))


def remaining_keys(tools: redis.Redis) -> list[str]:
    """Return the claims and buffers that still hold elements."""
    found = [*tools.scan_iter("archive:claim:*"), *tools.scan_iter("archive:buffer:*")]
    return sorted(name.decode() for name in found if isinstance(name, bytes))


def _doubled_rejects(env: Environment) -> int:
    """Return how many rejects may be doubled."""
    return len(env.planted) if env.allowed else 0


def _missing_us(env: Environment, total: int) -> list[int]:
    archived = {
        identity(event) for stream in EVENT_STREAMS for event in rebuild_events(env.pipeline.root, stream)
    }
    sent = (parse(frame) for stream, frame in truth(env, total) if stream != "rejects")
    return [event["time_us"] for event in sent if identity(event) not in archived]


def _gap_rows(root: Path) -> list[GapRow]:
    if not any((root / "raw" / "gaps").glob("**/*.parquet")):
        return []
    query = "SELECT from_us, to_us, reason FROM read_parquet(?) ORDER BY from_us"
    return [GapRow(*row) for row in duckdb.execute(query, [f"{root}/raw/gaps/**/*.parquet"]).fetchall()]


def _sum(found: Audit, name: str) -> int:
    return sum(getattr(stream, name) for stream in found.streams.values())


def _covers(row: GapRow, time_us: int) -> bool:
    return row.from_us <= time_us <= row.to_us
