"""ENCODE: the elements of a chunk become tables, one an hour. Pure; runs off the event loop.

What cannot be encoded becomes a row of `rejects`, frame and all, and holds nothing else up: a chunk that
could not be committed would be read again for ever.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from services.archive.paths import HOUR_US, chunk_of
from services.archive.schema import SCHEMAS
from services.data_writer.columns import LeftoversByIndex, to_table
from services.data_writer.decode import IS_WHOLE, STRICT, RejectElement
from services.data_writer.element_time import OWN_STREAMS, time_of
from services.data_writer.leftovers import UNREADABLE
from services.data_writer.part import Encoded, Part, Rejected
from services.data_writer.salvage import salvage
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BadInput
from services.shared.event import Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLOCK = 4096
"""Events decoded at a time: few enough for their objects to stay in the processor's caches."""

_UNHOLDABLE = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowCapacityError, UnicodeError, OverflowError)
"""What Arrow raises for a value it cannot hold. Not its memory error: that is no fault of the value."""


def encode(stream: Stream, elements: Iterable[bytes], host: str = "") -> Encoded:
    """Return the parts of a chunk: its stream's, one an hour, then those of `rejects` if any.

    `elements` are the chunk's in the claim's order, which rows keep; they may still be on their way, and are
    encoded as they come. `host` is whom they came from, told of rejected ones. Never raises for what an
    element holds.
    """
    with _no_collections():
        return _encode(stream, elements, host)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the cyclic collector from walking a chunk's many objects again and again: none has a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _encode(stream: Stream, elements: Iterable[bytes], host: str) -> Encoded:
    tables = [SCHEMAS[stream].empty_table()]
    refused: list[bytes] = []
    type_mismatches = 0
    all_elements: list[bytes] = []
    coming = iter(elements)
    while block := list(islice(coming, _BLOCK)):
        all_elements += block
        events, sources, leftovers = _decode(stream, block, refused)
        table, unholdable = _tabulate(stream, events, leftovers)
        tables.append(table)
        refused += [sources[index] for index in unholdable]
        type_mismatches += sum(left.type_mismatches for left in leftovers.values())
        reach(CrashPoint.ENCODE_BLOCK)
    table = pa.concat_tables(tables)

    time_column = "received_at" if stream in OWN_STREAMS else "time_us"
    times = [time_of(stream, element) for element in refused]
    chunk = chunk_of(stream, all_elements, [*pc.min_max(table[time_column]).as_py().values(), *times])
    rejected = tuple(
        Rejected(element, chunk.first_us if time_us is None else time_us)
        for element, time_us in zip(refused, times, strict=True)
    )
    rejects = _rejects_table(stream, rejected, host)
    parts = _by_hour(stream, table, time_column)
    if stream is Stream.REJECTS:
        # One dataset, one name: a second table of an hour would overwrite the first.
        parts = _by_hour(stream, pa.concat_tables([table, rejects]), time_column)
    elif rejected:
        parts += _by_hour(Stream.REJECTS, rejects, "received_at")
    raw_bytes = sum(map(len, all_elements))
    return Encoded(chunk, tuple(parts), table.num_rows, rejected, type_mismatches, raw_bytes)


def _decode(
    stream: Stream, elements: Sequence[bytes], refused: list[bytes]
) -> tuple[list[Any], list[bytes], LeftoversByIndex]:
    """Return the events, their elements, and what these leave; `refused` gains what is no event."""
    strict, is_whole = STRICT[stream].decode, IS_WHOLE[stream]
    events: list[Any] = []
    sources: list[bytes] = []
    leftovers = LeftoversByIndex()
    for element in elements:
        try:
            event = strict(element)
            whole = is_whole(event, element)
        except UNREADABLE:  # of another shape, or not at all
            whole = False
        if not whole:
            try:
                event, leftovers[len(events)] = salvage(stream, element)
            except BadInput:
                refused.append(element)
                continue
        events.append(event)
        sources.append(element)
    return events, sources, leftovers


def _tabulate(
    stream: Stream, events: Sequence[Any], leftovers: LeftoversByIndex
) -> tuple[pa.Table, list[int]]:
    """Return the events' table, and the indices of those it cannot hold, found by halving."""
    try:
        return to_table(stream, events, leftovers), []
    except _UNHOLDABLE:
        if len(events) == 1:
            return SCHEMAS[stream].empty_table(), [0]
    middle = len(events) // 2
    first, first_bad = _tabulate(
        stream, events[:middle], LeftoversByIndex({i: left for i, left in leftovers.items() if i < middle})
    )
    last, last_bad = _tabulate(
        stream,
        events[middle:],
        LeftoversByIndex({i - middle: left for i, left in leftovers.items() if i >= middle}),
    )
    return pa.concat_tables([first, last]), first_bad + [middle + index for index in last_bad]


def _rejects_table(stream: Stream, rejected: Sequence[Rejected], host: str) -> pa.Table:
    reason = Reason.ENCODE_FAILED.value
    rows = [RejectElement(reason, element, host, time_us, stream.value) for element, time_us in rejected]
    return to_table(Stream.REJECTS, rows, LeftoversByIndex())


def _by_hour(stream: Stream, table: pa.Table, time_column: str) -> list[Part]:
    """Split by the UTC hour; most chunks lie in one."""
    hours = pc.divide(table[time_column], HOUR_US)
    found = sorted(pc.unique(hours).to_pylist())
    if len(found) == 1:
        return [Part(stream, found[0], table)]
    return [Part(stream, hour, table.filter(pc.equal(hours, hour))) for hour in found]
