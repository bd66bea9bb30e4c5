"""Pure: which hours of a stream are to be merged now, and with which others they are to be compared.

The rule of who stays: of the copies of one event the one in the earliest hour does, and within that hour
the one with the least time, file and row. A copy goes only because of one in an *earlier* hour, so the
earliest is never taken away, in whatever order hours are merged. What comes late to an hour is a chunk that
later hours have not been compared with yet: they are, once more. Chunks are known by their ids, which merging
keeps.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from services.archive.paths import HOUR_US
from services.compactor.overlaps import window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.archive.catalog import File, Note
    from services.compactor.overlaps import Span


class Hour(NamedTuple):
    """What one hour of a stream holds, as far as planning goes."""

    has_parts: bool
    """Whether some of its files are as the writer wrote them."""
    chunks: frozenset[str]
    """Ids of all chunks that its rows came in; each is another in every hour."""
    compared: frozenset[str]
    """Ids of the chunks in earlier hours that it was compared with."""


def planned(hour: int, files: Sequence[File], note: Note | None) -> Hour:
    """Return what planning needs to know of an hour, by its files and what was noted of them."""
    compared = frozenset[str]().union(*(file.compared for file in files))
    if note is not None and note.files == tuple(sorted(file.name for file in files)):
        compared |= frozenset(note.against)
    return Hour(
        not all(file.is_compacted for file in files),
        # With the hour: of a chunk that is being committed one hour's part may be seen before another's.
        frozenset(f"{hour}-{source.chunk}" for file in files for source in file.sources),
        compared,
    )


class Due(NamedTuple):
    """An hour that is to be merged."""

    hour: int
    against: tuple[int, ...]
    """The earlier hours that it is to be compared with; those that exist."""
    is_merged: bool
    """It need only change if one of those has an event of it."""


class Rhythm(NamedTuple):
    """When hours close, and how far each is compared."""

    after_us: int
    neighbours: int


def closed_before(watermark_us: int, after_us: int) -> int:
    """Return the first hour that is still open; `watermark_us`: all streams are committed up to there."""
    return (watermark_us - after_us) // HOUR_US


def due(
    hours: Mapping[int, Hour], watermark_us: int, rhythm: Rhythm, spans: Sequence[Span]
) -> tuple[Due, ...]:
    """Return the hours that are to be merged, the oldest first."""
    still_open = closed_before(watermark_us, rhythm.after_us)
    in_order = sorted(hours)
    found = []
    for hour in in_order:
        if hour >= still_open:
            break
        first = window(hour, rhythm.neighbours, spans)
        # Few hours are looked at; a span's ends may be centuries apart where a host told a strange time.
        against = tuple(in_order[bisect_left(in_order, first) : bisect_left(in_order, hour)])
        told = frozenset[str]().union(*(hours[one].chunks for one in against))
        if hours[hour].has_parts or not told <= hours[hour].compared:
            found.append(Due(hour, against, not hours[hour].has_parts))
    return tuple(found)
