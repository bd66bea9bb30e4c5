"""Rows of the stream `gaps`: which gaps are open, how much event time they cover, and what was repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.archive.gaps import Interval, OpenGap, intersect, open_gaps, subtract, union, union_seconds
from services.archive.paths import HOUR_US
from services.shared.event import Gap, GapReason, Stream
from services.tools.query.parts import find, row_groups
from services.tools.query.views import connected, create_views

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.buffer.operator_push import OperatorPusher


def read_open_gaps(root: Path, memory_mb: int) -> list[OpenGap]:
    """Return the open gaps of the archive, repaired intervals subtracted, the oldest first."""
    columns = ", ".join(OpenGap._fields)
    with connected(root, memory_mb) as connection:
        create_views(connection, root, (Stream.GAPS,))
        rows = connection.execute(f"SELECT {columns} FROM gaps ORDER BY from_us, to_us").fetchall()  # noqa: S608 - our own names
    return open_gaps(OpenGap(*row) for row in rows)


def seconds(gaps: Iterable[OpenGap], from_us: int = 0, to_us: int = 1 << 62) -> float:
    """Return the seconds that gaps cover between two times; where gaps overlap, the time counts once."""
    missing = (gap.interval for gap in gaps if not gap.is_archive_start)
    return union_seconds(intersect(missing, Interval(from_us, to_us)))


def by_reason(gaps: Iterable[OpenGap]) -> dict[str, tuple[int, float]]:
    """Return the number of gaps and their seconds for each reason."""
    sorts: dict[str, list[OpenGap]] = {}
    for gap in gaps:
        sorts.setdefault(gap.reason, []).append(gap)
    return {reason: (len(some), seconds(some)) for reason, some in sorted(sorts.items())}


def touching(gaps: Iterable[OpenGap], from_us: int, to_us: int) -> list[OpenGap]:
    """Return the gaps that overlap an interval, without the archive start."""
    return [gap for gap in gaps if gap.from_us < to_us and gap.to_us >= from_us and not gap.is_archive_start]


NOT_GAPS = (GapReason.ARCHIVE_START, GapReason.REPAIRED)
"""Reasons of rows that do not mean missing events."""
POINT_US = 1_000_000
"""Length of the interval that is read for a gap without a length, in microseconds."""
_NAMES = ["from_us", "to_us", "reason", "host", "received_at", "collection"]


def gap_rows(pusher: OperatorPusher, root: Path, now_us: int) -> list[Gap]:
    """Return all rows of `gaps` in Redis and in the archive. Raises what `row_groups` raises."""
    found: dict[Gap, None] = {}
    for events in pusher.waiting(Stream.GAPS):
        found.update(dict.fromkeys(msgspec.json.decode(event, type=Gap) for event in events))
    hours = (part.hour for part in find(root, (Stream.GAPS,)).parts)
    archived = Interval(min(hours, default=now_us // HOUR_US) * HOUR_US, now_us + HOUR_US)
    for table in row_groups(root, Stream.GAPS, archived, _NAMES):
        found.update(dict.fromkeys(msgspec.convert(row, Gap) for row in table.to_pylist()))
    return list(found)


def intervals_to_repair(rows: Iterable[Gap], since_us: int) -> list[Interval]:
    """Return the intervals after `since_us` in which events may be missing and that were not repaired."""
    rows = list(rows)
    gaps = [
        Interval(row.from_us, row.to_us if row.to_us > row.from_us else row.from_us + POINT_US)
        for row in rows
        if row.reason not in NOT_GAPS and row.to_us > since_us
    ]
    return subtract(union(gaps), repaired(rows))


def repaired(rows: Iterable[Gap]) -> list[Interval]:
    """Return the intervals that were repaired."""
    return union(Interval(row.from_us, row.to_us) for row in rows if row.reason is GapReason.REPAIRED)


def hosts_with_gaps(rows: Iterable[Gap]) -> set[str]:
    """Return the hosts that a gap is recorded for."""
    return {row.host for row in rows if row.reason not in NOT_GAPS}
