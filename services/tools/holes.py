"""The holes that the stream `gaps` tells of, and how much event time they cover, each moment once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.gaps import what_is_left
from services.shared.event import GapReason, Stream
from services.tools.views import connected, create_views

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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
