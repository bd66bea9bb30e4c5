"""Output of `archive repair`: the plan, progress and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.gaps import Interval, subtract
from services.jetstream.connection import DisconnectReason
from services.tools.console import FINE, FOUND, STOPPED, size

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.progress import Progress

    from services.tools.repair.run import Outcome

REASONS: dict[str, str] = {
    DisconnectReason.CLOSED: "keeps nothing older, or closed the connection",
    DisconnectReason.STEPPED_BACK: "sent its newest events: it has not come so far, or its clock is wrong",
    DisconnectReason.OVERSIZE_FRAME: "sent a frame larger than INGEST_MAX_FRAME_BYTES",
}
"""Explanations of why a host's last connection ended."""
REMEDY = (
    "Older events are in Jetstream's archive of segments. To read them: make a token at "
    "https://bsky.network/account, write it into the file that TOOLS_SEGMENTS_TOKEN_FILE names "
    "(in the Compose stack: secrets/segments_token), and run the same command again."
)


def progress_reporter(
    progress: Progress, intervals: Sequence[Interval], fetched: Callable[[], int]
) -> Callable[[int, Counter[str]], None]:
    """Return a function to call after each push, with event time and all counts: it updates the progress."""
    total = sum(interval.seconds() for interval in intervals)
    task = progress.add_task("reading again", total=total, detail="")

    def report(time_us: int, counts: Counter[str]) -> None:
        done = sum(
            max(0.0, Interval(interval.from_us, min(interval.to_us, time_us)).seconds())
            for interval in intervals
        )
        pushed, known = (
            sum(count for name, count in counts.items() if name.endswith(f":{what}"))
            for what in ("pushed", "duplicate")
        )
        detail = f"{pushed:,} were missing, {known:,} were not"
        if fetched():
            detail += f"; {size(fetched())} fetched"
        progress.update(task, completed=done, detail=detail)

    return report


def print_plan(
    console: Console, wanted: Sequence[Interval], intervals: Sequence[Interval], sources: Sequence[str]
) -> None:
    """Print what will be read, and from which sources."""
    for interval in intervals:
        console.print(f"to read: {interval} ({interval.seconds():,.0f} s)")
    for interval in subtract(wanted, intervals):
        console.print(f"skipped: {interval}: repaired before, or the ingester still reads it by itself")
    if intervals:
        console.print(f"from: {', '.join(sources)}", markup=False)


def print_too_old(console: Console, older: Sequence[Interval]) -> int:
    """Print the gaps that are not read because there is no token; return the exit code."""
    for interval in older:
        console.print(f"unavailable: {interval}: it is older than the look-back", style="red")
    if older:
        console.print(REMEDY, markup=False)
    return FOUND if older else FINE


def print_outcome(console: Console, outcome: Outcome, *, stopped: bool, with_archive: bool) -> int:
    """Print the result; return the exit code."""
    for interval in outcome.repaired:
        console.print(f"repaired: {interval}", style="green")
    pushed, known = outcome.total("pushed"), outcome.total("duplicate")
    console.print(f"{pushed:,} events were missing and are in the archive now; {known:,} were there before")
    for interval in outcome.unavailable:
        console.print(f"unavailable: {interval}: no source has it", style="red")
    for name, why in outcome.reasons.items():
        console.print(f"  {name}: {REASONS.get(why, why)}", markup=False)
    if outcome.unavailable and not with_archive:
        console.print(REMEDY, markup=False)
    for interval in outcome.unconfirmed:
        console.print(
            f"unconfirmed: {interval}: not seen committed; run the same command again", style="yellow"
        )
    if stopped:
        console.print("Stopped; run the same command again to go on from here.")
        return STOPPED
    return FOUND if outcome.unavailable or outcome.unconfirmed else FINE
