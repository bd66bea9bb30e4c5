"""Pure: which hours of a stream are due for a merge, and with which earlier hours each is compared.

Of the copies of one event, the one in the earliest hour stays; within that hour, the one that is first by
time, file and row. A copy is removed only because of one in an *earlier* hour, so the earliest copy is never
removed, whatever the order of merges. An hour that was merged is compared again when an earlier hour has
chunks that it was not compared with: a late part. Chunks are identified by their ids, which a merge keeps.

The same events may also lie many hours apart: after a new epoch or a change of host the ingester resumes from
an older cursor, and another server may assign other times to the same events. All hours from where it resumed
to the newest hour at that moment are compared with each other.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from services.archive.paths import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.archive.catalog import File, Note
    from services.archive.footer import SourceChunk


class HourRange(NamedTuple):
    """Hours, counted from 1970, of which any two may hold the same event."""

    first: int
    last: int


class Hour(NamedTuple):
    """The state of one hour of a stream, as far as planning needs it."""

    has_parts: bool
    """Whether some of its files are not compacted."""
    chunks: frozenset[str]
    """Ids of all chunks of its rows, each prefixed with the hour."""
    compared: frozenset[str]
    """Ids of the chunks in earlier hours that it was compared with."""


class Due(NamedTuple):
    """An hour that is due."""

    hour: int
    against: tuple[int, ...]
    """The existing earlier hours that it is compared with."""
    is_merged: bool
    """Whether it is compacted already: it changes only if one of those hours has an event of it."""


class PlanRules(NamedTuple):
    """When an hour closes, and how many earlier hours it is compared with."""

    after_us: int
    neighbours: int


def planned(hour: int, files: Sequence[File], note: Note | None) -> Hour:
    """Return the state of an hour from its files and from the note on comparisons since they were made."""
    compared = frozenset[str]().union(*(file.compared for file in files))
    if note is not None and note.files == tuple(sorted(file.name for file in files)):
        compared |= frozenset(note.against)
    return Hour(
        not all(file.is_compacted for file in files),
        # With the hour: while a chunk is committed, its part of one hour may be listed before another's.
        frozenset(f"{hour}-{source.chunk}" for file in files for source in file.sources),
        compared,
    )


def closed_before(watermark_us: int, after_us: int) -> int:
    """Return the first hour that is still open; all streams are committed up to `watermark_us`."""
    return (watermark_us - after_us) // HOUR_US


def due(
    hours: Mapping[int, Hour],
    watermark_us: int,
    rules: PlanRules,
    ranges: Sequence[HourRange],
    among: range | None = None,
) -> tuple[Due, ...]:
    """Return the hours that are due, the oldest first; with `among`, only of these."""
    first_open = closed_before(watermark_us, rules.after_us)
    in_order = sorted(hours)
    found = []
    for hour in in_order:
        if hour >= first_open or (among is not None and hour not in among):
            continue
        first = first_compared(hour, rules.neighbours, ranges)
        # By bisection: a range may span centuries where a host sent a wrong time.
        against = tuple(in_order[bisect_left(in_order, first) : bisect_left(in_order, hour)])
        chunks = frozenset[str]().union(*(hours[one].chunks for one in against))
        if hours[hour].has_parts or not chunks <= hours[hour].compared:
            found.append(Due(hour, against, not hours[hour].has_parts))
    return tuple(found)


def overlaps(sources: Iterable[SourceChunk], look_back_us: int) -> tuple[HourRange, ...]:
    """Return the hour ranges that were read again after a change of epoch or host.

    None is longer than the look-back, the most that a host can replay.
    """
    in_order = sorted(set(sources), key=lambda one: (one.epoch, one.push, one.first_us, one.chunk))
    ranges: list[HourRange] = []
    newest: int | None = None
    before: SourceChunk | None = None
    for _, run in groupby(in_order, key=lambda one: (one.epoch, one.host)):
        chunks = list(run)
        if newest is not None and before is not None:
            # The last chunk of the old host may hold the new one's first events: the host is noted per round.
            resumed = min(before.first_us, *(one.first_us for one in chunks))
            resumed = max(resumed, newest - look_back_us)
            ranges.append(HourRange(resumed // HOUR_US, newest // HOUR_US))
        newest = max([newest or 0, *(one.last_us for one in chunks)])
        before = chunks[-1]
    return tuple(one for one in ranges if one.first < one.last)


def first_compared(hour: int, neighbours: int, ranges: Sequence[HourRange]) -> int:
    """Return the first of the earlier hours that an hour is compared with."""
    return min([hour - neighbours, *(one.first for one in ranges if one.first <= hour <= one.last)])
