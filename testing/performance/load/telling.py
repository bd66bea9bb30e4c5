"""What a run says to the person who waits for it: a line every few seconds, and the limits at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.performance.load.figures import PROCESSES, behind, rates, share_of_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from testing.performance.load.sample import Sample
    from testing.performance.load.verdict import Finding

TELL_SECONDS = 5.0


def show(findings: Iterable[Finding], console: Console) -> None:
    """Print every limit, and whether it holds."""
    for finding in findings:
        word = "holds " if finding.holds else "BROKEN"
        told = f"{word} {finding.limit}: {finding.found:,.6g} (limit {finding.allowed:,.6g})"
        console.print(told, style="green" if finding.holds else "bold red", markup=False)


def teller(console: Console, seconds: float) -> Callable[[list[Sample]], None]:
    """Return what prints a line of progress every few seconds."""
    last = 0.0

    def tell(samples: list[Sample]) -> None:
        nonlocal last
        if samples[-1]["at"] - last >= TELL_SECONDS:
            last = samples[-1]["at"]
            console.print(progress(samples, seconds), markup=False)

    return tell


def progress(samples: list[Sample], seconds: float) -> str:
    """Return one line about the last few seconds."""
    recent = [sample for sample in samples if sample["at"] > samples[-1]["at"] - TELL_SECONDS - 1]
    offered, pushed = (([0.0] + [rate for _, rate in rates(recent, name)])[-1] for name in ("tip", "pushed"))
    late = ([0.0] + [events for _, events in behind(recent)])[-1]
    used = samples[-1].get("redis.used", 0.0) / samples[-1].get("redis.max", 1.0)
    cpu = ", ".join(f"{name} {share_of_core(recent, name):.0%}" for name in PROCESSES)
    return (
        f"{samples[-1]['at']:6.0f} s of {seconds:,.0f}: offered {offered:,.0f}/s, pushed {pushed:,.0f}/s, "
        f"behind {late:,.0f}, waiting {samples[-1].get('waiting', 0):,.0f}, Redis {used:.0%}; {cpu}"
    )
