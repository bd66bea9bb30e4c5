"""The rows of `gaps`: what is to be repaired, and what has been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.archive.paths import HOUR_US
from services.shared.event import Gap, GapReason, Stream
from services.tools.hours import row_groups
from services.tools.part_names import find
from services.tools.span import Span, merged, minus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.buffer.operator_push import OperatorPusher

NO_HOLES = (GapReason.ARCHIVE_START, GapReason.REPAIRED)
POINT_US = 1_000_000
"""How far around a doubt that has no length of its own is read."""
_NAMES = ["from_us", "to_us", "reason", "host", "received_at", "collection"]


def gap_rows(pusher: OperatorPusher, root: Path, now_us: int) -> list[Gap]:
    """Return all rows, those that still wait in Redis included."""
    found: dict[Gap, None] = {}
    for elements in pusher.waiting(Stream.GAPS):
        found.update(dict.fromkeys(msgspec.json.decode(element, type=Gap) for element in elements))
    hours = (part.hour for part in find(root, (Stream.GAPS,)).parts)
    noted = Span(min(hours, default=now_us // HOUR_US) * HOUR_US, now_us + HOUR_US)
    for table in row_groups(root, Stream.GAPS, noted, _NAMES):
        found.update(dict.fromkeys(msgspec.convert(row, Gap) for row in table.to_pylist()))
    return list(found)


def holes(rows: Iterable[Gap], since_us: int) -> list[Span]:
    """Return where events may be missing after `since_us`, in order; what was repaired is left out."""
    rows = list(rows)
    doubts = [
        Span(row.from_us, row.to_us if row.to_us > row.from_us else row.from_us + POINT_US)
        for row in rows
        if row.reason not in NO_HOLES and row.to_us > since_us
    ]
    return minus(merged(doubts), repaired(rows))


def repaired(rows: Iterable[Gap]) -> list[Span]:
    """Return what was repaired."""
    return merged(Span(row.from_us, row.to_us) for row in rows if row.reason is GapReason.REPAIRED)


def hosts_in_doubt(rows: Iterable[Gap]) -> set[str]:
    """Return the hosts that the holes are told of: others are asked first."""
    return {row.host for row in rows if row.reason not in NO_HOLES}
