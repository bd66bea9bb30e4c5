"""Encode the events of a chunk as Arrow tables, one table per hour. Pure: no I/O.

An event that cannot be encoded becomes a row of `rejects` with its bytes. It must not fail the chunk: a chunk
that cannot be committed is read again at every round, and blocks its stream.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from services.archive.paths import HOUR_US, Chunk, chunk_of
from services.archive.schema import SCHEMAS, time_column
from services.data_writer.encoding.columns import ResidualsByIndex, to_table
from services.data_writer.encoding.decode import ROUND_TRIPS, STRICT, BufferedReject, TimeUs
from services.data_writer.encoding.lenient import DECODE_ERRORS, decode_leniently
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import BadInput
from services.shared.event import OWN_STREAMS, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLOCK = 4096
"""Events decoded at a time: few enough for their objects to stay in the processor's caches."""

_ARROW_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowCapacityError, UnicodeError, OverflowError)
"""Raised for a value that Arrow cannot store. Not its memory error: that is no fault of the value."""


class Part(NamedTuple):
    """The rows of a chunk that belong to one hour and one schema, not yet written."""

    stream: Stream
    """The stream of its schema and directory: the chunk's own, or `rejects` for events that were rejected."""
    hour: int
    """Hours since 1970-01-01T00Z."""
    table: pa.Table


class RejectedEvent(NamedTuple):
    """An event that could not be encoded."""

    event: bytes
    time_us: int
    """Its own time if readable, else the chunk's first, else 0: the same at every attempt."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A chunk as tables: every event is a row of exactly one part."""

    chunk: Chunk
    parts: tuple[Part, ...]
    rows: int
    """Events that became rows of the chunk's own stream."""
    rejected: tuple[RejectedEvent, ...]
    """Events that became rows of `rejects`, with reason `encode_failed`."""
    type_mismatches: int
    """Values that did not have their column's type: the column is null and `extra` holds the value."""
    raw_bytes: int
    """Size of all events."""


class _EventTime(Struct, gc=False):
    time_us: TimeUs


class _ReceiptTime(Struct, gc=False):
    received_at: TimeUs


_EVENT_TIME = msgspec.json.Decoder(_EventTime)
_RECEIPT_TIME = msgspec.json.Decoder(_ReceiptTime)


def encode(stream: Stream, events: Iterable[bytes], host: str = "") -> EncodedChunk:
    """Return the parts of a chunk: one per hour of its stream, then those of `rejects` if any.

    `events` are the JSON of the chunk's events in the order of the claim; rows keep that order. The iterable
    may still be receiving them: they are encoded as they arrive. `host` is the Jetstream host, recorded with
    rejected events. Never raises because of an event's content.
    """
    with _no_garbage_collection():
        return _encode(stream, events, host)


def time_of(stream: Stream, event: bytes) -> int | None:
    """Return the time that decides an event's hour, in Unix microseconds; None if unreadable.

    Decodes no other key, so that a fault elsewhere in the event does not hide its time.
    """
    try:
        if stream in OWN_STREAMS:
            return _RECEIPT_TIME.decode(event).received_at
        return _EVENT_TIME.decode(event).time_us
    except DECODE_ERRORS:
        return None


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Stop the cyclic collector from scanning a chunk's objects over and over: none is part of a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _encode(stream: Stream, events: Iterable[bytes], host: str) -> EncodedChunk:
    tables = [SCHEMAS[stream].empty_table()]
    rejected_events: list[bytes] = []
    type_mismatches = 0
    all_events: list[bytes] = []
    remaining = iter(events)
    while block := list(islice(remaining, _BLOCK)):
        all_events += block
        decoded, sources, residuals = _decode(stream, block, rejected_events)
        table, bad_indices = _tabulate(stream, decoded, residuals)
        tables.append(table)
        rejected_events += [sources[index] for index in bad_indices]
        type_mismatches += sum(residual.type_mismatches for residual in residuals.values())
        reach(CrashPoint.ENCODE_BLOCK)
    table = pa.concat_tables(tables)

    times = [time_of(stream, event) for event in rejected_events]
    chunk = chunk_of(stream, all_events, [*pc.min_max(table[time_column(stream)]).as_py().values(), *times])
    rejected = tuple(
        RejectedEvent(event, chunk.first_us if time_us is None else time_us)
        for event, time_us in zip(rejected_events, times, strict=True)
    )
    rejects = _rejects_table(stream, rejected, host)
    parts = _by_hour(stream, table)
    if stream is Stream.REJECTS:
        # Both tables are rows of `rejects`: two parts of one hour would have the same name.
        parts = _by_hour(stream, pa.concat_tables([table, rejects]))
    elif rejected:
        parts += _by_hour(Stream.REJECTS, rejects)
    raw_bytes = sum(map(len, all_events))
    return EncodedChunk(chunk, tuple(parts), table.num_rows, rejected, type_mismatches, raw_bytes)


def _decode(
    stream: Stream, events: Sequence[bytes], rejected: list[bytes]
) -> tuple[list[Any], list[bytes], ResidualsByIndex]:
    """Return the decoded events, their JSON and their residuals; append undecodable ones to `rejected`."""
    decode_strictly, round_trips = STRICT[stream].decode, ROUND_TRIPS[stream]
    decoded: list[Any] = []
    sources: list[bytes] = []
    residuals = ResidualsByIndex()
    for source in events:
        try:
            event = decode_strictly(source)
            is_complete = round_trips(event, source)
        except DECODE_ERRORS:  # another shape, or no JSON
            is_complete = False
        if not is_complete:
            try:
                event, residuals[len(decoded)] = decode_leniently(stream, source)
            except BadInput:
                rejected.append(source)
                continue
        decoded.append(event)
        sources.append(source)
    return decoded, sources, residuals


def _tabulate(
    stream: Stream, decoded: Sequence[Any], residuals: ResidualsByIndex
) -> tuple[pa.Table, list[int]]:
    """Return the events' table, and the indices of those that Arrow cannot store, found by bisection."""
    try:
        return to_table(stream, decoded, residuals), []
    except _ARROW_ERRORS:
        if len(decoded) == 1:
            return SCHEMAS[stream].empty_table(), [0]
    middle = len(decoded) // 2
    first, first_bad = _tabulate(
        stream, decoded[:middle], ResidualsByIndex({i: one for i, one in residuals.items() if i < middle})
    )
    last, last_bad = _tabulate(
        stream,
        decoded[middle:],
        ResidualsByIndex({i - middle: one for i, one in residuals.items() if i >= middle}),
    )
    return pa.concat_tables([first, last]), first_bad + [middle + index for index in last_bad]


def _rejects_table(stream: Stream, rejected: Sequence[RejectedEvent], host: str) -> pa.Table:
    reason = Reason.ENCODE_FAILED.value
    rows = [BufferedReject(reason, event, host, time_us, stream.value) for event, time_us in rejected]
    return to_table(Stream.REJECTS, rows, ResidualsByIndex())


def _by_hour(stream: Stream, table: pa.Table) -> list[Part]:
    """Split a table by UTC hour; most chunks have one."""
    hours = pc.divide(table[time_column(stream)], HOUR_US)
    found = sorted(pc.unique(hours).to_pylist())
    if len(found) == 1:
        return [Part(stream, found[0], table)]
    return [Part(stream, hour, table.filter(pc.equal(hours, hour))) for hour in found]
