"""`archive repair`: reads missing events again, from hosts or an archive of segments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.archive.gaps import Interval, subtract
from services.archive.paths import DEMO_MARK, HOUR_US
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import frame_opener
from services.shared.errors import BrokenInvariant
from services.shared.event import JETSTREAM_STREAMS
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.retry import until_done
from services.shared.settings import load
from services.tools.console import STOPPED
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import only_remote
from services.tools.offload.remote import datasets
from services.tools.query.gap_rows import gap_rows, hosts_with_gaps, intervals_to_repair, repaired
from services.tools.query.parts import read_time
from services.tools.redis_session import RedisSession
from services.tools.repair.push import RepairPusher
from services.tools.repair.refill import Refill
from services.tools.repair.report import print_outcome, print_plan, print_too_old, progress_reporter
from services.tools.repair.reread import Reread
from services.tools.repair.run import KNOWN_MARGIN_US, Repair, Sources
from services.tools.segments.archive import SegmentArchive
from services.tools.segments.client import SegmentClient
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.shared.cursor import Cursor
    from services.shared.event import Gap
    from services.shared.lifecycle import Stopping
    from services.tools.repair.known import Datasets
    from services.tools.settings import ToolsSettings

CURSOR_MARGIN_US = 60_000_000
"""A repair ends so far before the cursor, because the ingester may read the last minute again by itself."""
LOG_LEVEL = "warning"


def repair(
    from_: Annotated[str, typer.Option("--from", help="Begin in ISO 8601; UTC if it has no zone.")] = "",
    to: Annotated[str, typer.Option("--to", help="End, as --from.")] = "",
    *,
    gaps: Annotated[bool, typer.Option("--gaps", help="Repair every recorded gap that can be read.")] = False,
    host: Annotated[list[str] | None, typer.Option(help="Read from this host; may be repeated.")] = None,
    again: Annotated[bool, typer.Option(help="Also read intervals that were repaired before.")] = False,
) -> None:
    """Read an interval again, from hosts or an archive of segments, and push events that the archive lacks.

    Exit code 1 if an interval could not be read.
    """
    if gaps == bool(from_ and to):
        raise typer.BadParameter("give either --gaps, or both --from and --to")
    interval = None if gaps else Interval(read_time(from_), read_time(to))
    if interval is not None and interval.to_us <= interval.from_us:
        raise typer.BadParameter("--to must be later than --from")
    given = RepairSettings(load(IngesterSettings, "INGEST_"), settings())
    start_logs("repair", LOG_LEVEL)
    with stopping_on_signals() as stopping:
        code = _repair(
            given, RepairRequest(interval, tuple(host or ()), again), stopping, Console(stderr=True)
        )
    raise typer.Exit(code)


class RepairRequest(NamedTuple):
    """The command's options."""

    interval: Interval | None
    """None for every recorded gap."""
    hosts: tuple[str, ...]
    again: bool


class RepairSettings(NamedTuple):
    """The settings of the ingester and of the command."""

    ingester: IngesterSettings
    tools: ToolsSettings

    def archive(self, stopping: Stopping, report: Callable[[str], None]) -> SegmentArchive | None:
        """Return the archive of segments, or None without a token."""
        token = self.tools.segments_token()
        if not token:
            return None
        return SegmentArchive(SegmentClient(self.tools.tools_segments_url, token, stopping, report), stopping)


def _repair(given: RepairSettings, asked: RepairRequest, stopping: Stopping, console: Console) -> int:
    settings = given.ingester
    if (settings.archive_root / DEMO_MARK).exists() and not asked.hosts:
        raise BrokenInvariant(
            "this archive was started in the demo, and made-up events and real ones never mix: "
            "name the demo's host with --host"
        )
    archive = given.archive(stopping, lambda what: console.print(what, markup=False))
    session = RedisSession(settings, stopping)
    until_done(session.open, stopping, lambda error: console.print(str(error), markup=False))
    if stopping:
        return STOPPED
    now_us = time.time_ns() // 1000
    floor_us = now_us - int(settings.archive_look_back_hours * 3600e6)
    rows = gap_rows(session.pusher, session.root, now_us)
    wanted = (
        intervals_to_repair(rows, floor_us if archive is None else 0)
        if asked.interval is None
        else [asked.interval]
    )
    older = subtract(intervals_to_repair(rows, 0), wanted) if asked.interval is None else []
    intervals = without_open_time(wanted, session.pusher.cursor())
    if not asked.again:
        intervals = subtract(intervals, repaired(rows))
    hosts = asked.hosts or hosts_by_gaps(settings.ingest_hosts, rows if asked.interval is None else [])
    if not wanted:
        console.print("No recorded gap can be read; there is nothing to repair.")
    print_plan(console, wanted, intervals, [*hosts, *([archive.name] if archive else [])])
    if not intervals:
        return print_too_old(console, older)
    remote = _in_bucket(given.tools, session.root, intervals)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        report = progress_reporter(progress, intervals, lambda: archive.downloaded if archive else 0)
        pusher = RepairPusher(settings, session.pusher, stopping)
        reread = Reread(settings, pusher, stopping, frame_opener(settings), report)
        refill = Refill(settings, archive, pusher, stopping, report) if archive else None
        sources = Sources(reread, tuple(hosts), refill, floor_us, remote)
        outcome = Repair(session, sources, pusher, stopping).run(intervals)
    session.close()
    if refill is not None and refill.unreadable:
        console.print(f"{refill.unreadable:,} rows of {refill.name} are no events, and were skipped")
    code = print_outcome(console, outcome, stopped=bool(stopping), with_archive=archive is not None)
    return code or print_too_old(console, older)


def _in_bucket(given: ToolsSettings, root: Path, intervals: Sequence[Interval]) -> Datasets:
    """Return datasets of these intervals' files that are only in the bucket, for comparison."""
    remote = [
        one
        for one in only_remote(root, JETSTREAM_STREAMS)
        if any(
            interval.from_us - KNOWN_MARGIN_US < (one.hour + 1) * HOUR_US
            and one.hour * HOUR_US < interval.to_us + KNOWN_MARGIN_US
            for interval in intervals
        )
    ]
    return datasets(Bucket(given), remote) if remote else {}


def without_open_time(wanted: Sequence[Interval], cursor: Cursor) -> list[Interval]:
    """Leave out times that the ingester will still read, or read again, by itself. Pure."""
    end_us = min([cursor.time_us, *(window.from_us for window in cursor.windows)]) - CURSOR_MARGIN_US
    return (
        subtract(wanted, [Interval(end_us, max(end_us, *(interval.to_us for interval in wanted), 0))])
        if wanted
        else []
    )


def hosts_by_gaps(hosts: Sequence[str], rows: Sequence[Gap]) -> list[str]:
    """Return the hosts in the order to read: those without recorded gaps first. Pure."""
    with_gaps = hosts_with_gaps(rows)
    return sorted(hosts, key=lambda host: host in with_gaps)
