"""Pure: where the same events may lie hours apart, because they were read again.

After a new epoch or a change of host the ingester reads on from an older cursor, and another server may give
other times to the same events. All hours from where it resumed to the newest one then are compared.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from services.archive.paths import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.archive.footer import SourceChunk

Span = tuple[int, int]
"""First and last hour, counted from 1970, of which each may have events that another has."""


def overlaps(sources: Iterable[SourceChunk], look_back_us: int) -> tuple[Span, ...]:
    """Return the spans of a stream's chunks; none is longer than what a host can tell again."""
    in_order = sorted(set(sources), key=lambda one: (one.epoch, one.push, one.first_us, one.chunk))
    spans: list[Span] = []
    newest: int | None = None
    before: SourceChunk | None = None
    for _, run in groupby(in_order, key=lambda one: (one.epoch, one.host)):
        chunks = list(run)
        if newest is not None and before is not None:
            # The last chunk of the old host may hold the new one's first events: a host is told a round.
            resumed = min(before.first_us, *(one.first_us for one in chunks))
            resumed = max(resumed, newest - look_back_us)
            spans.append((resumed // HOUR_US, newest // HOUR_US))
        newest = max([newest or 0, *(one.last_us for one in chunks)])
        before = chunks[-1]
    return tuple(span for span in spans if span[0] < span[1])


def window(hour: int, neighbours: int, spans: Sequence[Span]) -> int:
    """Return the first of the earlier hours that an hour is to be compared with."""
    return min([hour - neighbours, *(first for first, last in spans if first <= hour <= last)])
