"""`archive repair`: reads what is missing again, from hosts or from an archive of segments. Wires."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.archive.paths import DEMO_MARK, HOUR_US
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import frame_opener
from services.shared.errors import BrokenInvariant
from services.shared.event import JETSTREAM_STREAMS
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.retry import until_done
from services.shared.settings import load
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import only_far
from services.tools.offload.remote import datasets
from services.tools.query.gap_rows import gap_rows, holes, hosts_in_doubt, repaired
from services.tools.query.intervals import Span, minus
from services.tools.query.parts import read_time
from services.tools.redis_session import Buffers
from services.tools.repair.push import Pushing
from services.tools.repair.refill import Refill
from services.tools.repair.report import STOPPED, tell_outcome, tell_plan, tell_too_old, teller
from services.tools.repair.reread import Reread
from services.tools.repair.run import KNOWN_MARGIN_US, Repair, Sources
from services.tools.segments.archive import Archive
from services.tools.segments.client import Asking
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.shared.cursor import Cursor
    from services.shared.event import Gap
    from services.shared.lifecycle import Stopping
    from services.tools.repair.known import Datasets
    from services.tools.settings import ToolsSettings

"""The mark that the demo's host leaves in an archive."""
SETTLED_US = 60_000_000
"""How far behind the cursor a repair ends: what is nearer, the ingester still reads again by itself."""
QUIETLY = "warning"


def repair(
    from_: Annotated[str, typer.Option("--from", help="Begin, ISO 8601, UTC without a zone.")] = "",
    to: Annotated[str, typer.Option("--to", help="End, likewise.")] = "",
    *,
    gaps: Annotated[bool, typer.Option("--gaps", help="Every hole on record that may be had.")] = False,
    host: Annotated[list[str] | None, typer.Option(help="Read from this host; may be repeated.")] = None,
    again: Annotated[bool, typer.Option(help="Also what a repair has already been through.")] = False,
) -> None:
    """Read an interval again, from hosts or from segments, and push what the archive lacks."""
    if gaps == bool(from_ and to):
        raise typer.BadParameter("give either --gaps, or both --from and --to")
    span = None if gaps else Span(read_time(from_), read_time(to))
    if span is not None and span.to_us <= span.from_us:
        raise typer.BadParameter("--to must be later than --from")
    given = Given(load(IngesterSettings, "INGEST_"), settings())
    start_logs("repair", QUIETLY)
    with stopping_on_signals() as stopping:
        code = _repair(given, Asked(span, tuple(host or ()), again), stopping, Console(stderr=True))
    raise typer.Exit(code)


class Asked(NamedTuple):
    """What the operator wants."""

    span: Span | None
    """None: every hole on record."""
    hosts: tuple[str, ...]
    again: bool


class Given(NamedTuple):
    """What is read, and from where."""

    ingester: IngesterSettings
    tools: ToolsSettings

    def archive(self, stopping: Stopping, said: Callable[[str], None]) -> Archive | None:
        """Return the archive of segments, if there is a token for it."""
        token = self.tools.segments_token()
        if not token:
            return None
        return Archive(Asking(self.tools.tools_segments_url, token, stopping, said), stopping)


def _repair(given: Given, asked: Asked, stopping: Stopping, console: Console) -> int:
    settings = given.ingester
    if (settings.archive_root / DEMO_MARK).exists() and not asked.hosts:
        raise BrokenInvariant(
            "this archive was started in the demo, and made-up events and real ones never mix: "
            "name the demo's host with --host"
        )
    archive = given.archive(stopping, lambda what: console.print(what, markup=False))
    buffers = Buffers(settings, stopping)
    until_done(buffers.open, stopping, lambda error: console.print(str(error), markup=False))
    if stopping:
        return STOPPED
    now_us = time.time_ns() // 1000
    floor_us = now_us - int(settings.archive_look_back_hours * 3600e6)
    rows = gap_rows(buffers.pusher, buffers.root, now_us)
    wanted = holes(rows, floor_us if archive is None else 0) if asked.span is None else [asked.span]
    older = minus(holes(rows, 0), wanted) if asked.span is None else []
    spans = within_reach(wanted, buffers.pusher.cursor())
    if not asked.again:
        spans = minus(spans, repaired(rows))
    hosts = asked.hosts or in_turn(settings.ingest_hosts, rows if asked.span is None else [])
    if not wanted:
        console.print("No hole is on record that could be had; there is nothing to repair.")
    tell_plan(console, wanted, spans, [*hosts, *([archive.name] if archive else [])])
    if not spans:
        return tell_too_old(console, older)
    far = _in_bucket(given.tools, buffers.root, spans)
    said = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*said, TimeRemainingColumn(), console=console) as progress:
        told = teller(progress, spans, lambda: archive.downloaded if archive else 0)
        pushing = Pushing(settings, buffers.pusher, stopping)
        reread = Reread(settings, pushing, stopping, frame_opener(settings), told)
        refill = Refill(settings, archive, pushing, stopping, told) if archive else None
        sources = Sources(reread, tuple(hosts), refill, floor_us, far)
        outcome = Repair(buffers, sources, pushing, stopping).run(spans)
    buffers.close()
    if refill is not None and refill.unreadable:
        console.print(f"{refill.unreadable:,} rows of {refill.name} hold no event, and were left out")
    code = tell_outcome(console, outcome, stopped=bool(stopping), with_archive=archive is not None)
    return code or tell_too_old(console, older)


def _in_bucket(given: ToolsSettings, root: Path, spans: Sequence[Span]) -> Datasets:
    """Return what of these intervals' hours lies only in the bucket: it must be known, or it came twice."""
    far = [
        one
        for one in only_far(root, JETSTREAM_STREAMS)
        if any(
            span.from_us - KNOWN_MARGIN_US < (one.hour + 1) * HOUR_US
            and one.hour * HOUR_US < span.to_us + KNOWN_MARGIN_US
            for span in spans
        )
    ]
    return datasets(Bucket(given), far) if far else {}


def within_reach(wanted: Sequence[Span], cursor: Cursor) -> list[Span]:
    """Leave out what the ingester is still to read, or to read once more, by itself."""
    end_us = min([cursor.time_us, *(window.from_us for window in cursor.windows)]) - SETTLED_US
    return minus(wanted, [Span(end_us, max(end_us, *(span.to_us for span in wanted), 0))]) if wanted else []


def in_turn(hosts: Sequence[str], rows: Sequence[Gap]) -> list[str]:
    """Order the hosts: first those that no hole is told of."""
    doubted = hosts_in_doubt(rows)
    return sorted(hosts, key=lambda host: host in doubted)
