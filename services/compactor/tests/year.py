"""Archives of many hours: hard links to one compacted file a stream, and gap rows over the whole time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.paths import HOUR_US, compacted_name, hour_directory, parse_name
from services.compactor.tests.archives import BORDER_US, advance, compact, put
from services.data_writer.tests.feeding import traffic
from services.shared.cursor import Cursor
from services.shared.event import OWN_STREAMS, Gap, GapReason, Stream

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS_AN_HOUR = 12
STREAMS = [stream for stream in Stream if stream not in OWN_STREAMS]
FIRST_HOUR = BORDER_US // HOUR_US
MINUTE_US = 60_000_000


def build(root: Path, hours: int, gaps: int) -> int:
    """Make an archive of so many hours, all committed and compacted; return how many stream-hours it has."""
    model = root.with_name(f"{root.name}-model")
    events = traffic(3000, first_us=BORDER_US - HOUR_US, rate=3000 / 7200)
    for stream in STREAMS:
        of_stream = [event for event in events if event[0] == stream]
        put(model, of_stream, chunk=max(1, len(of_stream) // (2 * CHUNKS_AN_HOUR)))
    compact(model)
    for stream in STREAMS:
        (path,) = hour_directory(model, stream, FIRST_HOUR).iterdir()
        name = parse_name(path.name)
        assert name is not None
        for hour in range(FIRST_HOUR, FIRST_HOUR + hours):
            directory = hour_directory(root, stream, hour)
            directory.mkdir(parents=True)
            start_us = hour * HOUR_US
            link = directory / compacted_name(start_us, start_us + HOUR_US - 1, name.rows, name.id)
            link.hardlink_to(path)
    put(root, [note(Gap(0, BORDER_US, GapReason.ARCHIVE_START, "host", BORDER_US))])
    put(root, [note(gap(BORDER_US + hours * HOUR_US * number // gaps)) for number in range(gaps)])
    advance(root, committed(hours))
    return hours * len(STREAMS)


def committed(hours: int) -> Cursor:
    """Return a checkpoint at the end of so many hours, and of the minutes until the last one closes."""
    return Cursor(time_us=BORDER_US + hours * HOUR_US + 15 * MINUTE_US, epoch=1, push=10**6)


def gap(from_us: int) -> Gap:
    """Return a gap of a minute, noted in the archive's first hour."""
    return Gap(from_us, from_us + MINUTE_US, GapReason.CURSOR_TOO_OLD, "host", BORDER_US)


def note(row: Gap) -> tuple[str, bytes]:
    """Return a gap as an event for `put`."""
    return "gaps", row.encode()
