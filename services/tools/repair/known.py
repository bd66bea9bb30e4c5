"""The identities that Redis and the archive already have of an interval: these are not pushed again."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc
import pyarrow.dataset as ds

from services.archive.paths import HOUR_US, hour_start
from services.jetstream.validate import event_identity, reject_identity, validate
from services.shared.errors import BadInput
from services.shared.event import JETSTREAM_STREAMS, Reason, Stream
from services.tools.query.intervals import Span, row_groups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from services.buffer.operator_push import OperatorPusher

ANY_SIZE = 1 << 40
_COMMIT = ("did", "rev", "collection", "rkey", "operation")
_KINDS = {Stream.IDENTITIES: "identity", Stream.ACCOUNTS: "account"}


class _Reject(msgspec.Struct):
    frame: str


Datasets = Mapping[Stream, ds.Dataset]
"""What of a stream lies only in the bucket."""


def known_identities(
    pusher: OperatorPusher, root: Path, span: Span, now_us: int, far: Datasets = MappingProxyType({})
) -> set[bytes]:
    """Return the identities of all events with a time in `span`, and of all rejects since its beginning."""
    found = known_events(pusher, root, span)
    for stream, dataset in far.items():
        if stream in JETSTREAM_STREAMS:
            found.update(_offloaded(dataset, stream, span))
    for elements in pusher.waiting(Stream.REJECTS):
        for element in elements:
            found.add(reject_identity(base64.b64decode(msgspec.json.decode(element, type=_Reject).frame)))
    # A reject is filed under its receipt, which may be any time after.
    found.update(_rejected(root, Span(span.from_us, now_us + HOUR_US)))
    return found


def known_events(pusher: OperatorPusher, root: Path, span: Span) -> set[bytes]:
    """Return the identities of all events with a time in `span`.

    Redis first, then the archive: what moves from one to the other meanwhile is seen in at least one.
    """
    found = set(_buffered(pusher, span))
    for stream in JETSTREAM_STREAMS:
        found.update(_archived(root, stream, span))
    return found


def _buffered(pusher: OperatorPusher, span: Span) -> Iterator[bytes]:
    for stream in JETSTREAM_STREAMS:
        for elements in pusher.waiting(stream):
            for element in elements:
                try:
                    event = validate(element, ANY_SIZE)
                except BadInput:
                    continue  # not of this version's making: the writer will make a reject of it
                if span.from_us <= event.time_us < span.to_us:
                    yield event.identity


def _archived(root: Path, stream: Stream, span: Span) -> Iterator[bytes]:
    for table in row_groups(root, stream, span, [*_names(stream), "time_us"]):
        times = table["time_us"]
        inside = pc.and_(pc.greater_equal(times, span.from_us), pc.less(times, span.to_us))
        yield from _identities(stream, table.filter(inside))


def _offloaded(dataset: ds.Dataset, stream: Stream, span: Span) -> Iterator[bytes]:
    inside = (ds.field("time_us") >= span.from_us) & (ds.field("time_us") < span.to_us)
    for hour in range(span.from_us // HOUR_US, -(-span.to_us // HOUR_US)):
        start = hour_start(hour)
        there = inside & (ds.field("year") == start.year) & (ds.field("month") == start.month)
        there &= (ds.field("day") == start.day) & (ds.field("hour") == start.hour)
        yield from _identities(stream, dataset.to_table(columns=list(_names(stream)), filter=there))


def _names(stream: Stream) -> tuple[str, ...]:
    return ("did", "relay_seq") if stream in _KINDS else _COMMIT


def _identities(stream: Stream, table: pa.Table) -> Iterator[bytes]:
    kind = _KINDS.get(stream)
    for values in zip(*(table[name].to_pylist() for name in _names(stream)), strict=True):
        yield event_identity((values[0], kind, values[1]) if kind else values)


def _rejected(root: Path, span: Span) -> Iterator[bytes]:
    for table in row_groups(root, Stream.REJECTS, span, ["frame", "reason"]):
        for frame, reason in zip(table["frame"].to_pylist(), table["reason"].to_pylist(), strict=True):
            yield reject_identity(frame)
            if reason == Reason.ENCODE_FAILED:
                try:
                    yield validate(frame, ANY_SIZE).identity
                except BadInput:
                    continue
