"""What a repair says: what it will do, how far it is, and what could not be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.jetstream.connection import DisconnectReason
from services.tools.console import FINE, FOUND, size
from services.tools.query.intervals import Span, minus

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.progress import Progress

    from services.tools.repair.run import Outcome

STOPPED = 130
WHYS: dict[str, str] = {
    DisconnectReason.CLOSED: "keeps nothing older, or closed the connection",
    DisconnectReason.STEPPED_BACK: "gave its live tail: it has not come so far, or its clock is wrong",
    DisconnectReason.OVERSIZE_FRAME: "sent a frame larger than INGEST_MAX_FRAME_BYTES",
}
"""What the end of a host's last connection means here."""
MEND = (
    "Older events lie in Jetstream's archive of segments. To read them: make a token at "
    "https://bsky.network/account, write it into the file that TOOLS_SEGMENTS_TOKEN_FILE names "
    "(in the Compose stack: secrets/segments_token), and run the same command again."
)


def teller(
    progress: Progress, spans: Sequence[Span], fetched: Callable[[], int]
) -> Callable[[int, Counter[str]], None]:
    """Return what is told of each push: event time, and all counts so far."""
    total = sum(span.seconds() for span in spans)
    task = progress.add_task("reading again", total=total, said="")

    def told(time_us: int, counts: Counter[str]) -> None:
        done = sum(max(0.0, Span(span.from_us, min(span.to_us, time_us)).seconds()) for span in spans)
        pushed, known = (
            sum(count for name, count in counts.items() if name.endswith(f":{what}"))
            for what in ("pushed", "duplicate")
        )
        said = f"{pushed:,} were missing, {known:,} were not"
        if fetched():
            said += f"; {size(fetched())} fetched"
        progress.update(task, completed=done, said=said)

    return told


def tell_plan(
    console: Console, wanted: Sequence[Span], spans: Sequence[Span], sources: Sequence[str]
) -> None:
    """Say what will be read, and from where."""
    for span in spans:
        console.print(f"will read again: {span} ({span.seconds():,.0f} s)")
    for span in minus(wanted, spans):
        console.print(f"not now: {span}: repaired before, or the ingester still reads it by itself")
    if spans:
        console.print(f"from: {', '.join(sources)}", markup=False)


def tell_too_old(console: Console, older: Sequence[Span]) -> int:
    """Say which holes on record are left alone for want of a token; returns the exit code."""
    for span in older:
        console.print(f"cannot be had: {span}: it lies before the look-back", style="red")
    if older:
        console.print(MEND, markup=False)
    return FOUND if older else FINE


def tell_outcome(console: Console, outcome: Outcome, *, stopped: bool, with_archive: bool) -> int:
    """Say what came of it; returns the exit code."""
    for span in outcome.repaired:
        console.print(f"repaired: {span}", style="green")
    pushed, known = outcome.total("pushed"), outcome.total("duplicate")
    console.print(f"{pushed:,} events were missing and are in the archive now; {known:,} were there before")
    for span in outcome.not_had:
        console.print(f"cannot be had: {span}: nobody who was asked has it", style="red")
    for name, why in outcome.whys.items():
        console.print(f"  {name}: {WHYS.get(why, why)}", markup=False)
    if outcome.not_had and not with_archive:
        console.print(MEND, markup=False)
    for span in outcome.unsure:
        console.print(f"not sure: {span}: not seen committed; run the same command again", style="yellow")
    if stopped:
        console.print("Stopped; run the same command again to go on from here.")
        return STOPPED
    return FOUND if outcome.not_had or outcome.unsure else FINE
