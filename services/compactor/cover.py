"""Pure: how whole an hour of a stream is, from what its files, the gaps and the watermark say."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from services.archive.footer import rows_in
from services.archive.paths import HOUR_US
from services.shared.event import OWN_STREAMS, STREAM_OF_COLLECTION, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.archive.catalog import File


class State(StrEnum):
    """How whole an hour is."""

    OPEN = "open"
    """Events of this hour are still expected."""
    PARTIAL = "partial"
    """A gap overlaps it: events may be missing."""
    EMPTY = "empty"
    """There is no event, and no doubt."""
    CLOSED = "closed"
    """All events that were told are here."""


class StreamHour(NamedTuple):
    """One hour of one stream."""

    stream: Stream
    hour: int
    """Counted from 1970."""


class OpenGap(NamedTuple):
    """A row of `gaps`, as far as it matters here; Unix microseconds of event time."""

    from_us: int
    to_us: int
    reason: str
    collection: str | None


class CoverageRow(NamedTuple):
    """A row of the table: one hour of one stream."""

    hour: int
    """Counted from 1970."""
    stream: Stream
    state: State
    rows: int
    first_us: int | None
    last_us: int | None
    gap_seconds: float
    duplicates_removed: int
    rejects: int
    """Rows of `rejects` in this hour that came from this stream's buffer; for `rejects`, all."""
    parts: int
    bytes: int


def cover(
    place: StreamHour, files: Sequence[File], holes: Iterable[OpenGap], *, is_open: bool, rejects: int
) -> CoverageRow:
    """Return the row of an hour."""
    stream, hour = place
    overlapping = [] if stream in OWN_STREAMS else _overlapping(stream, hour, holes)
    rows = sum(file.rows for file in files)
    if is_open:
        state = State.OPEN
    elif overlapping:
        state = State.PARTIAL
    else:
        # Of an hour that lost all its rows on purpose a file still tells: more went than was there twice.
        held = rows or any(rows_in(file.removed) > file.duplicates for file in files)
        state = State.CLOSED if held else State.EMPTY
    return CoverageRow(
        hour=hour,
        stream=stream,
        state=state,
        rows=rows,
        first_us=min((file.first_us for file in files if file.first_us is not None), default=None),
        last_us=max((file.last_us for file in files if file.last_us is not None), default=None),
        gap_seconds=_seconds(overlapping),
        duplicates_removed=sum(file.duplicates for file in files),
        rejects=rejects,
        parts=len(files),
        bytes=sum(file.bytes for file in files),
    )


def rejects_of(stream: Stream, rejects: Iterable[File]) -> int:
    """Return how many of an hour's rejects came from a stream's buffer; of `rejects`, all."""
    files = list(rejects)
    if stream is Stream.REJECTS:
        return sum(rows_in(file.counts) for file in files)
    return sum(of_epoch.get(stream, 0) for file in files for of_epoch in file.counts.values())


def _overlapping(stream: Stream, hour: int, holes: Iterable[OpenGap]) -> list[tuple[int, int]]:
    """Return the holes' shares of the hour. One of no length counts too: something was stepped over there."""
    start, end = hour * HOUR_US, (hour + 1) * HOUR_US
    return sorted(
        (max(hole.from_us, start), min(hole.to_us, end))
        for hole in holes
        if hole.from_us < end and hole.to_us >= start and _concerns(hole, stream)
    )


def _concerns(hole: OpenGap, stream: Stream) -> bool:
    if hole.collection is None:
        return True
    return STREAM_OF_COLLECTION.get(hole.collection, Stream.RECORDS) is stream


def _seconds(shares: Iterable[tuple[int, int]]) -> float:
    """Return the length of shares, in order, where each moment counts once."""
    counted, reached = 0, 0
    for start, end in shares:
        counted += max(0, end - max(start, reached))
        reached = max(reached, end)
    return counted / 1e6
