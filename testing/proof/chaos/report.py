"""The report of many runs in Markdown: faults, lost and doubled events, time to recover."""

from __future__ import annotations

import os
import platform
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

import psutil

from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.plan import POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testing.proof.audit import Audit
    from testing.proof.chaos.run import Outcome

UNTIL_COMPACTION = (
    "Doubled until compaction, and the most that may be: the events pushed since the oldest checkpoint (of "
    "the backup, or at the time of the loss; 5 s before it where the dedup window is lost too). Compaction "
    "removes repeats of the same identity: each archive was compacted and compared again."
)
COUNTS = ("truth", "archive", "lost", "doubled", "altered", "unknown")


def totals(verdict: Audit) -> dict[str, int]:
    """Return every count, summed over the streams."""
    return {name: sum(getattr(found, name) for found in verdict.streams.values()) for name in COUNTS}


def line(outcome: Outcome) -> str:
    """Return one run on one line."""
    verdict = outcome.verdict
    found = (
        f"{verdict.events:,} events, {verdict.lost} lost, {verdict.doubled} doubled"
        + (f" (at most {verdict.allowed}: {verdict.cause})" if verdict.cause else "")
        + f", {verdict.altered} altered"
        + (f", {outcome.compacted.doubled} doubled after compaction" if outcome.compacted else "")
        + (
            f", {verdict.covered_by_gap} gone upstream and covered by a gap row"
            if verdict.covered_by_gap
            else ""
        )
        if verdict
        else "not audited"
    )
    recovery = "never recovered" if outcome.recovery is None else f"recovered in {outcome.recovery:.1f} s"
    points = ", ".join(outcome.crashed)
    injected = ", ".join(f"{kind}" for kind in outcome.injected if kind is not Kind.CRASH_POINT)
    state = "FAILED" if outcome.failures else "passed"
    return (
        f"seed {outcome.seed} {state} in {outcome.seconds:.1f} s: {found}; {recovery}; {points}; {injected}"
    )


def markdown(outcomes: Sequence[Outcome], seconds: float, jobs: int) -> str:
    """Return the report."""
    seeds = sorted(outcome.seed for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.failures]
    verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict]
    compacted = [outcome.compacted for outcome in outcomes if outcome.compacted]
    recoveries = sorted(outcome.recovery for outcome in outcomes if outcome.recovery is not None)
    doubled: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for verdict in verdicts:
        doubled[verdict.cause or "no cause"] += verdict.doubled
        allowed[verdict.cause or "no cause"] += verdict.allowed
    head = (
        f"{len(outcomes)} runs, seeds {seeds[0]} to {seeds[-1]}, {len(failed)} failed. {seconds:,.0f} s, "
        f"{jobs} at a time, on {machine()}."
    )
    lines = [
        "# Chaos",
        "",
        head,
        "",
        "| | |",
        "|---|---:|",
        f"| events | {sum(verdict.events for verdict in verdicts):,} |",
        f"| lost | {sum(verdict.lost for verdict in verdicts):,} |",
        f"| altered | {sum(verdict.altered for verdict in verdicts):,} |",
        f"| rows of no event | {sum(verdict.unknown for verdict in verdicts):,} |",
        f"| doubled where nothing may be | {doubled['no cause']:,} |",
        f"| doubled after compaction ({len(compacted)} runs) | {sum(one.doubled for one in compacted):,} |",
        f"| lost or altered after compaction | {sum(one.lost + one.altered for one in compacted):,} |",
        f"| gone upstream, covered by a gap row | {sum(one.covered_by_gap for one in verdicts):,} |",
        f"| gap rows unexplained or missing | {sum(len(one.gaps) for one in verdicts):,} |",
        f"| recovery, p50 | {_seconds(median(recoveries) if recoveries else None)} |",
        f"| recovery, max | {_seconds(recoveries[-1] if recoveries else None)} |",
        "",
        "Recovery is from the end of the last fault until everything is committed, later events included.",
        "",
        UNTIL_COMPACTION,
        "",
        "| cause | doubled | at most |",
        "|---|---:|---:|",
        *(
            f"| {cause} | {doubled[cause]:,} | {allowed[cause]:,} |"
            for cause in sorted(doubled)
            if cause != "no cause"
        ),
        "",
        *_table(
            "fault", "times injected", ((kind, sum(one.injected[kind] for one in outcomes)) for kind in Kind)
        ),
        "",
        *_table(
            "crash point",
            "hits",
            ((point, sum(one.crashed[point] for one in outcomes)) for point in POINTS),
        ),
    ]
    for outcome in failed:
        lines += ["", f"## Seed {outcome.seed} failed", "", f"`SEED={outcome.seed} RUNS=1 make chaos`", ""]
        lines += [f"- {failure}" for failure in outcome.failures]
    return "\n".join([*lines, ""])


def machine() -> str:
    """Describe the machine."""
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {system}"


def _table(what: str, figure: str, rows: Iterable[tuple[str, int]]) -> list[str]:
    return [f"| {what} | {figure} |", "|---|---:|", *(f"| {name} | {count} |" for name, count in rows)]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
