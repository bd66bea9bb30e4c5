"""Many runs in Markdown: what fired, what is lost or doubled, how long it took to recover."""

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
    "Doubled until compaction, and at most: what was pushed since the oldest checkpoint (the backup's, or of "
    "the moment of the loss; 5 s before it where the memory of identities is lost too). With repeats of the "
    "same identity left out nothing is doubled, and so it is: each archive was compacted, and judged again."
)
COUNTS = ("truth", "archive", "lost", "doubled", "altered", "strangers")


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
        + (f", {verdict.on_record} gone upstream and on record" if verdict.on_record else "")
        if verdict
        else "not audited"
    )
    recovery = "never recovered" if outcome.recovery is None else f"recovered in {outcome.recovery:.1f} s"
    points = ", ".join(outcome.crashed)
    fired = ", ".join(f"{kind}" for kind in outcome.fired if kind is not Kind.CRASH_POINT)
    state = "FAILED" if outcome.wrong else "passed"
    return f"seed {outcome.seed} {state} in {outcome.seconds:.1f} s: {found}; {recovery}; {points}; {fired}"


def markdown(outcomes: Sequence[Outcome], seconds: float, jobs: int) -> str:
    """Return the report."""
    seeds = sorted(outcome.seed for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.wrong]
    verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict]
    compacted = [outcome.compacted for outcome in outcomes if outcome.compacted]
    recoveries = sorted(outcome.recovery for outcome in outcomes if outcome.recovery is not None)
    doubled: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for verdict in verdicts:
        doubled[verdict.cause or "no reason"] += verdict.doubled
        allowed[verdict.cause or "no reason"] += verdict.allowed
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
        f"| rows of no event | {sum(verdict.strangers for verdict in verdicts):,} |",
        f"| doubled where nothing may be | {doubled['no reason']:,} |",
        f"| doubled after compaction ({len(compacted)} runs) | {sum(one.doubled for one in compacted):,} |",
        f"| lost or altered after compaction | {sum(one.lost + one.altered for one in compacted):,} |",
        f"| gone upstream, with a gap row that says so | {sum(one.on_record for one in verdicts):,} |",
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
            if cause != "no reason"
        ),
        "",
        *_table("fault", "fired", ((kind, sum(one.fired[kind] for one in outcomes)) for kind in Kind)),
        "",
        *_table(
            "crash point",
            "hits",
            ((point, sum(one.crashed[point] for one in outcomes)) for point in POINTS),
        ),
    ]
    for outcome in failed:
        lines += ["", f"## Seed {outcome.seed} failed", "", f"`SEED={outcome.seed} RUNS=1 make chaos`", ""]
        lines += [f"- {wrong}" for wrong in outcome.wrong]
    return "\n".join([*lines, ""])


def machine() -> str:
    """Say what this ran on."""
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {system}"


def _table(what: str, figure: str, rows: Iterable[tuple[str, int]]) -> list[str]:
    return [f"| {what} | {figure} |", "|---|---:|", *(f"| {name} | {count} |" for name, count in rows)]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
