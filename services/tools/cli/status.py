"""`archive status`: one screen with streams, hours, gaps, lag, disk and next steps; needs only the files."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.archive.checkpoints import read_checkpoints
from services.archive.coverage import State
from services.archive.paths import HOUR_US, archive_id_path
from services.tools.console import console, duration, instant_us, print_json, size, table
from services.tools.query.coverage import Table, read_coverage
from services.tools.query.figures import ArchiveFigures, ask_writer, measure, unaccounted
from services.tools.query.gap_rows import by_reason, read_open_gaps, seconds, touching
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.archive.gaps import OpenGap
    from services.shared.cursor import Cursor
    from services.shared.event import Stream
    from services.tools.query.figures import Figures
    from services.tools.settings import ToolsSettings

DAY_US = 24 * HOUR_US
_LATE_SECONDS = 900
"""Lag in seconds, three rounds of the writer, above which a next step is shown."""
_FEW_DAYS = 14
_SHOWN = (State.CLOSED, State.PARTIAL, State.OPEN, State.EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What `archive status` shows; times in Unix microseconds."""

    root: Path
    archive_id: str | None
    now_us: int
    figures: ArchiveFigures
    hours: dict[str, int]
    """Number of hours by state in the coverage table; an hour has the worst state of its streams."""
    gaps: list[OpenGap]
    """Open gaps of the last day."""
    checkpoints: Mapping[Stream, Cursor]
    writer: Figures | None
    disk_free: int
    disk_size: int
    reserve: int
    """Free bytes below which the ingester pauses."""

    @property
    def bytes_a_day(self) -> float | None:
        """Bytes added a day, by the last whole hours, 24 at most; None without such hours."""
        this_hour = self.now_us // HOUR_US
        last = [hour for hour in self.figures.bytes_by_hour if this_hour - 24 <= hour < this_hour]
        if not last:
            return None
        return sum(self.figures.bytes_by_hour[hour] for hour in last) / (this_hour - min(last)) * 24

    @property
    def days_left(self) -> float | None:
        """Days until the ingester pauses because the disk is low; None where nothing is added."""
        rate = self.bytes_a_day
        return max(0, self.disk_free - self.reserve) / rate if rate else None

    @property
    def behind_seconds(self) -> float | None:
        """Seconds since the oldest checkpoint, before which everything is committed; None without one."""
        if not self.checkpoints:
            return None
        return (self.now_us - min(cursor.time_us for cursor in self.checkpoints.values())) / 1e6


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Show streams, hours, gaps, lag, disk, and what to do next, on one screen."""
    found = gather(settings(), time.time_ns() // 1000)
    if as_json:
        print_json(as_object(found))
    else:
        _show(found)


def gather(given: ToolsSettings, now_us: int) -> Status:
    """Collect what is shown. Raises OSError and BrokenInvariant for an unreadable archive."""
    root = given.root
    covered = read_coverage(root)
    disk = shutil.disk_usage(root)
    identity = archive_id_path(root)
    return Status(
        root=root,
        archive_id=identity.read_text(encoding="ascii").strip() if identity.exists() else None,
        now_us=now_us,
        figures=measure(root, covered),
        hours=_worst(covered),
        gaps=touching(read_open_gaps(root, given.tools_memory_mb), now_us - DAY_US, now_us),
        checkpoints=read_checkpoints(root),
        writer=ask_writer(given.tools_metrics_url),
        disk_free=disk.free,
        disk_size=disk.total,
        reserve=given.archive_disk_free_min_mb * 1_000_000,
    )


def next_steps(found: Status) -> list[str]:
    """Return what the operator should do, the most urgent first; empty where nothing is wrong. Pure."""
    steps = []
    if found.archive_id is None:
        steps.append("this folder is no archive yet: start the writer, or set ARCHIVE_ROOT to the right one")
    lost = {stream: count for stream, count in _unaccounted(found).items() if count}
    for stream, count in sorted(lost.items()):
        what = "lost" if count < 0 else "duplicated"
        steps.append(f"{stream}: {abs(count)} events {what} by the ledger; run `archive verify`")
    if any(stream.unreadable for stream in found.figures.streams.values()):
        steps.append("some parts cannot be read; run `archive verify`")
    if found.figures.unknown_files:
        steps.append(f"{found.figures.unknown_files} files are no parts; run `archive verify`")
    if found.days_left is not None and found.days_left < _FEW_DAYS:
        steps.append(f"the disk is full in {found.days_left:.1f} days; free space, or offload closed hours")
    if found.checkpoints and (found.behind_seconds or 0) > _LATE_SECONDS:
        steps.append("commits are behind; is the writer running, and is the ingester connected?")
    if found.gaps:
        steps.append("events of the last day may be missing; see `archive gaps`, then `archive repair`")
    if found.archive_id is not None and not found.hours:
        steps.append("no hour was compacted yet; wait until hours close, or run `archive compact`")
    return steps


def as_object(found: Status) -> dict[str, Any]:
    """Return the status as an object for JSON."""
    return {
        "root": str(found.root),
        "archive_id": found.archive_id,
        "streams": {
            stream: {
                "rows": figures.rows,
                "parts": figures.parts,
                "bytes": figures.bytes,
                "newest_us": figures.newest_us,
                "lag_seconds": _lag(found, figures.newest_us),
                "unreadable": figures.unreadable,
            }
            for stream, figures in found.figures.streams.items()
        },
        "unknown_files": found.figures.unknown_files,
        "hours": found.hours,
        "gaps_of_last_day": [gap._asdict() for gap in found.gaps],
        "unaccounted": unaccounted(found.writer) if found.writer else None,
        "waiting": found.writer["archive_buffer_depth_events"] if found.writer else None,
        "checkpoints": {stream: cursor.time_us for stream, cursor in found.checkpoints.items()},
        "disk": {
            "free": found.disk_free,
            "size": found.disk_size,
            "bytes_a_day": found.bytes_a_day,
            "days_left": found.days_left,
        },
        "next_steps": next_steps(found),
    }


def _show(found: Status) -> None:
    screen = console()
    screen.print(f"archive {found.archive_id or '(none)'} at {found.root}, {instant_us(found.now_us)}")
    screen.print(
        table(("stream", "rows", "parts", "bytes", "newest event", "lag"), _rows(found), right=_FIGURES)
    )
    for name, text in _lines(found):
        screen.print(f"{name:<13}{text}", markup=False)
    for step in next_steps(found):
        screen.print(f"next: {step}", style="yellow", markup=False)


_FIGURES = ("rows", "parts", "bytes", "lag")


def _rows(found: Status) -> list[tuple[Any, ...]]:
    streams = found.figures.streams
    rows: list[tuple[Any, ...]] = []
    for stream, figures in streams.items():
        lag = _lag(found, figures.newest_us)
        newest = instant_us(figures.newest_us)
        late = "-" if lag is None else duration(lag)
        rows.append((stream.value, figures.rows, figures.parts, size(figures.bytes), newest, late))
    every = [(one.rows, one.parts, one.bytes) for one in streams.values()]
    whole = [sum(column) for column in zip(*every, strict=True)]
    return [*rows, ("all", whole[0], whole[1], size(whole[2]), "", "")]


def _lines(found: Status) -> list[tuple[str, str]]:
    hours = (
        ", ".join(f"{count:,} {state}" for state, count in found.hours.items())
        or "none in the coverage table yet"
    )
    reasons = ", ".join(f"{count} {reason}" for reason, (count, _) in by_reason(found.gaps).items())
    missing = duration(seconds(found.gaps, found.now_us - DAY_US, found.now_us))
    gaps = (
        f"{len(found.gaps)} in the last day, {missing} ({reasons})" if found.gaps else "none in the last day"
    )
    room = f"{size(found.disk_free)} of {size(found.disk_size)} free"
    if found.days_left is not None and found.bytes_a_day is not None:
        room += f", {found.days_left:,.0f} days at {size(found.bytes_a_day)} a day"
    return [
        ("hours", hours),
        ("gaps", gaps),
        ("writer", _writer_line(found)),
        ("checkpoint", _checkpoint_line(found)),
        ("disk", room),
    ]


def _writer_line(found: Status) -> str:
    if found.writer is None:
        return "does not answer at TOOLS_METRICS_URL"
    counted = unaccounted(found.writer)
    total = "still counting" if None in counted.values() else sum(_unaccounted(found).values())
    waiting = int(sum(found.writer["archive_buffer_depth_events"].values()))
    return f"unaccounted {total}, waiting in Redis {waiting:,}"


def _checkpoint_line(found: Status) -> str:
    if not found.checkpoints:
        return "none"
    stream, cursor = min(found.checkpoints.items(), key=lambda one: one[1].time_us)
    host = f", {cursor.host}" if cursor.host else ""
    seq = "" if cursor.seq is None else f", seq {cursor.seq}"
    return (
        f"all before {instant_us(cursor.time_us)} is committed ({stream}, "
        f"{duration(found.behind_seconds or 0)} ago, epoch {cursor.epoch}, push {cursor.push}{host}{seq})"
    )


def _unaccounted(found: Status) -> dict[str, int]:
    counts = unaccounted(found.writer) if found.writer else {}
    return {stream: count for stream, count in counts.items() if count is not None}


def _lag(found: Status, newest_us: int | None) -> float | None:
    return None if newest_us is None else max(0.0, (found.now_us - newest_us) / 1e6)


def _worst(covered: Table) -> dict[str, int]:
    """Return the number of hours by state; an hour has the worst state of its streams."""
    order = (State.EMPTY, State.CLOSED, State.PARTIAL, State.OPEN)
    hours: dict[int, State] = {}
    for (_, hour), row in covered.items():
        hours[hour] = max(hours.get(hour, State.EMPTY), row.state, key=order.index)
    counts = {state.value: sum(one is state for one in hours.values()) for state in _SHOWN}
    return {state: count for state, count in counts.items() if count}
