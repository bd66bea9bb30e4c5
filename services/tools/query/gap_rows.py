"""The holes that the stream `gaps` tells of, and how much event time they cover, each moment once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.archive.gaps import what_is_left
from services.archive.paths import HOUR_US
from services.shared.event import Gap, GapReason, Stream
from services.tools.query.intervals import Span, merged, minus, row_groups
from services.tools.query.parts import find
from services.tools.query.views import connected, create_views

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.buffer.operator_push import OperatorPusher


class OpenGap(NamedTuple):
    """One row of `gaps`."""

    from_us: int
    to_us: int
    reason: str
    host: str
    collection: str | None
    received_at: int

    @property
    def is_archive_start(self) -> bool:
        """Whether it says only that the archive began: no time that should be there."""
        return self.reason == GapReason.ARCHIVE_START


def read_holes(root: Path, memory_mb: int) -> list[OpenGap]:
    """Return every hole that the rows of `gaps` leave, the oldest first; repairs are taken out."""
    columns = ", ".join(OpenGap._fields)
    with connected(root, memory_mb) as connection:
        create_views(connection, root, (Stream.GAPS,))
        rows = connection.execute(f"SELECT {columns} FROM gaps ORDER BY from_us, to_us").fetchall()  # noqa: S608 - our own names
    noted = [OpenGap(*row) for row in rows]
    repairs = [(hole.from_us, hole.to_us) for hole in noted if hole.reason == GapReason.REPAIRED]
    return [
        hole._replace(from_us=from_us, to_us=to_us)
        for hole in noted
        for from_us, to_us in what_is_left(hole.reason, (hole.from_us, hole.to_us), repairs)
    ]


def seconds(holes: Iterable[OpenGap], from_us: int = 0, to_us: int = 1 << 62) -> float:
    """Return the seconds that the holes cover between two times; what two of them cover counts once."""
    spans = sorted(
        (max(hole.from_us, from_us), min(hole.to_us, to_us)) for hole in holes if not hole.is_archive_start
    )
    covered, reached = 0, from_us
    for begin, end in spans:
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered / 1e6


def by_reason(holes: Iterable[OpenGap]) -> dict[str, tuple[int, float]]:
    """Return for each reason how many holes there are and their seconds."""
    sorts: dict[str, list[OpenGap]] = {}
    for hole in holes:
        sorts.setdefault(hole.reason, []).append(hole)
    return {reason: (len(some), seconds(some)) for reason, some in sorted(sorts.items())}


def touching(holes: Iterable[OpenGap], from_us: int, to_us: int) -> list[OpenGap]:
    """Return the holes that reach into an interval, the archive start left out."""
    return [
        hole for hole in holes if hole.from_us < to_us and hole.to_us >= from_us and not hole.is_archive_start
    ]


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
