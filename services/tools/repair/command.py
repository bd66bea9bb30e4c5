"""`archive repair`: says what it will do, does it, and says what could not be had."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.jetstream.metrics import Reconnect
from services.jetstream.settings import IngesterSettings
from services.shared.errors import BrokenInvariant
from services.shared.lifecycle import stopping_on_signals
from services.shared.logs import start_logs
from services.shared.retry import until_done
from services.shared.settings import load
from services.tools.buffers import Buffers
from services.tools.console import FINE, FOUND
from services.tools.frames import opener
from services.tools.part_names import read_time
from services.tools.repair.reread import Reread
from services.tools.repair.rows import gap_rows, holes, hosts_in_doubt, repaired
from services.tools.repair.run import Repair
from services.tools.span import Span, minus

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from services.shared.buffer.cursor import Cursor
    from services.shared.event import Gap
    from services.shared.lifecycle import Stopping
    from services.tools.repair.run import Outcome

DEMO = ".demo"
"""The mark that the demo's host leaves in an archive."""
SETTLED_US = 60_000_000
"""How far behind the cursor a repair ends: what is nearer, the ingester still reads again by itself."""
QUIETLY = "warning"
STOPPED = 130


def repair(
    from_: Annotated[str, typer.Option("--from", help="Begin, ISO 8601, UTC without a zone.")] = "",
    to: Annotated[str, typer.Option("--to", help="End, likewise.")] = "",
    *,
    gaps: Annotated[bool, typer.Option("--gaps", help="Every hole on record inside the look-back.")] = False,
    host: Annotated[list[str] | None, typer.Option(help="Read from this host; may be repeated.")] = None,
    again: Annotated[bool, typer.Option(help="Also what a repair has already been through.")] = False,
) -> None:
    """Read an interval again from hosts that still keep it, and push what the archive lacks."""
    if gaps == bool(from_ and to):
        raise typer.BadParameter("give either --gaps, or both --from and --to")
    span = None if gaps else Span(read_time(from_), read_time(to))
    if span is not None and span.to_us <= span.from_us:
        raise typer.BadParameter("--to must be later than --from")
    settings = load(IngesterSettings, "INGEST_")
    start_logs("repair", QUIETLY)
    with stopping_on_signals() as stopping:
        code = _repair(settings, Asked(span, tuple(host or ()), again), stopping, Console(stderr=True))
    raise typer.Exit(code)


WHYS: dict[str, str] = {
    Reconnect.CLOSED: "keeps nothing older, or closed the connection",
    Reconnect.STEPPED_BACK: "gave its live tail: it has not come so far, or its clock is wrong",
    Reconnect.OVERSIZE_FRAME: "sent a frame larger than INGEST_MAX_FRAME_BYTES",
}
"""What the end of a host's last connection means here."""


class Asked(NamedTuple):
    """What the operator wants."""

    span: Span | None
    """None: every hole on record."""
    hosts: tuple[str, ...]
    again: bool


def _repair(settings: IngesterSettings, asked: Asked, stopping: Stopping, console: Console) -> int:
    if (settings.archive_root / DEMO).exists() and not asked.hosts:
        raise BrokenInvariant(
            "this archive was born in the demo, and made-up events and real ones never mix: "
            "name the demo's host with --host"
        )
    buffers = Buffers(settings, stopping)
    until_done(buffers.open, stopping, lambda error: console.print(str(error), markup=False))
    if stopping:
        return STOPPED
    now_us = time.time_ns() // 1000
    floor_us = now_us - int(settings.archive_look_back_hours * 3600e6)
    since_us = floor_us if asked.span is None else min(floor_us, asked.span.from_us)
    rows = gap_rows(buffers.pusher, buffers.root, since_us, now_us)
    wanted = holes(rows, floor_us) if asked.span is None else [asked.span]
    spans = within_reach(wanted, buffers.pusher.cursor())
    if not asked.again:
        spans = minus(spans, repaired(rows))
    hosts = asked.hosts or in_turn(settings.ingest_hosts, rows if asked.span is None else [])
    _tell_plan(console, wanted, spans, hosts)
    if not spans:
        return FINE
    said = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*said, TimeRemainingColumn(), console=console) as progress:
        told = _teller(progress, spans)
        reread = Reread(settings, buffers.pusher, stopping, opener(settings), told)
        outcome = Repair(buffers, reread, stopping).run(spans, hosts)
    buffers.close()
    return _tell_outcome(console, outcome, stopped=bool(stopping))


def within_reach(wanted: Sequence[Span], cursor: Cursor) -> list[Span]:
    """Leave out what the ingester is still to read, or to read once more, by itself."""
    end_us = min([cursor.time_us, *(window.from_us for window in cursor.windows)]) - SETTLED_US
    return minus(wanted, [Span(end_us, max(end_us, *(span.to_us for span in wanted), 0))]) if wanted else []


def in_turn(hosts: Sequence[str], rows: Sequence[Gap]) -> list[str]:
    """Order the hosts: first those that no hole is told of."""
    doubted = hosts_in_doubt(rows)
    return sorted(hosts, key=lambda host: host in doubted)


def _teller(progress: Progress, spans: Sequence[Span]) -> Callable[[int, Counter[str]], None]:
    total = sum(span.seconds() for span in spans)
    task = progress.add_task("reading again", total=total, said="")

    def told(time_us: int, counts: Counter[str]) -> None:
        done = sum(max(0.0, Span(span.from_us, min(span.to_us, time_us)).seconds()) for span in spans)
        pushed, known = (
            sum(count for name, count in counts.items() if name.endswith(f":{what}"))
            for what in ("pushed", "duplicate")
        )
        progress.update(task, completed=done, said=f"{pushed:,} were missing, {known:,} were not")

    return told


def _tell_plan(console: Console, wanted: Sequence[Span], spans: Sequence[Span], hosts: Sequence[str]) -> None:
    if not wanted:
        console.print("No hole is on record inside the look-back; there is nothing to repair.")
        return
    for span in spans:
        console.print(f"will read again: {span} ({span.seconds():,.0f} s)")
    for span in minus(wanted, spans):
        console.print(f"not now: {span}: repaired before, or the ingester still reads it by itself")
    if spans:
        console.print(f"from: {', '.join(hosts)}")


def _tell_outcome(console: Console, outcome: Outcome, *, stopped: bool) -> int:
    for span in outcome.repaired:
        console.print(f"repaired: {span}", style="green")
    pushed, known = outcome.total("pushed"), outcome.total("duplicate")
    console.print(f"{pushed:,} events were missing and are in the archive now; {known:,} were there before")
    for span in outcome.not_had:
        console.print(f"cannot be had: {span}: no host asked still has it", style="red")
    for host, why in outcome.whys.items():
        console.print(f"  {host}: {WHYS.get(why, why)}")
    if outcome.not_had:
        console.print(
            "Older events lie in Jetstream's archive of segments, which this version does not read."
        )
    for span in outcome.unsure:
        console.print(f"not sure: {span}: not seen committed; run the same command again", style="yellow")
    if stopped:
        console.print("Stopped; run the same command again to go on from here.")
        return STOPPED
    return FOUND if outcome.not_had or outcome.unsure else FINE
