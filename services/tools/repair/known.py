"""Identities of events that Redis and the archive already have: these are not pushed again."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pyarrow.compute as pc
import pyarrow.dataset as ds

from services.archive.gaps import Interval
from services.archive.paths import HOUR_US, hour_start
from services.jetstream.validate import event_identity, reject_identity, validate
from services.shared.errors import BadInput
from services.shared.event import JETSTREAM_STREAMS, Reason, Stream
from services.tools.query.parts import row_groups

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
"""Datasets of files that are only in the bucket, by stream."""


def known_identities(
    pusher: OperatorPusher,
    root: Path,
    interval: Interval,
    now_us: int,
    remote: Datasets = MappingProxyType({}),
) -> set[bytes]:
    """Return the identities of events with a time in `interval`, and of rejects received since its begin."""
    found = known_events(pusher, root, interval)
    for stream, dataset in remote.items():
        if stream in JETSTREAM_STREAMS:
            found.update(_offloaded(dataset, stream, interval))
    for events in pusher.waiting(Stream.REJECTS):
        for raw in events:
            found.add(reject_identity(base64.b64decode(msgspec.json.decode(raw, type=_Reject).frame)))
    # A reject is stored by the time of its receipt, which may be any time later.
    found.update(_rejected(root, Interval(interval.from_us, now_us + HOUR_US)))
    return found


def known_events(pusher: OperatorPusher, root: Path, interval: Interval) -> set[bytes]:
    """Return the identities of all events with a time in `interval`.

    Redis is read before the archive, so that an event that moves meanwhile is seen in at least one of them.
    """
    found = set(_buffered(pusher, interval))
    for stream in JETSTREAM_STREAMS:
        found.update(_archived(root, stream, interval))
    return found


def _buffered(pusher: OperatorPusher, interval: Interval) -> Iterator[bytes]:
    for stream in JETSTREAM_STREAMS:
        for events in pusher.waiting(stream):
            for raw in events:
                try:
                    event = validate(raw, ANY_SIZE)
                except BadInput:
                    continue  # pushed by another version: the writer will reject it
                if interval.from_us <= event.time_us < interval.to_us:
                    yield event.identity


def _archived(root: Path, stream: Stream, interval: Interval) -> Iterator[bytes]:
    for table in row_groups(root, stream, interval, [*_names(stream), "time_us"]):
        times = table["time_us"]
        inside = pc.and_(pc.greater_equal(times, interval.from_us), pc.less(times, interval.to_us))
        yield from _identities(stream, table.filter(inside))


def _offloaded(dataset: ds.Dataset, stream: Stream, interval: Interval) -> Iterator[bytes]:
    inside = (ds.field("time_us") >= interval.from_us) & (ds.field("time_us") < interval.to_us)
    for hour in range(interval.from_us // HOUR_US, -(-interval.to_us // HOUR_US)):
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


def _rejected(root: Path, interval: Interval) -> Iterator[bytes]:
    for table in row_groups(root, Stream.REJECTS, interval, ["frame", "reason"]):
        for frame, reason in zip(table["frame"].to_pylist(), table["reason"].to_pylist(), strict=True):
            yield reject_identity(frame)
            if reason == Reason.ENCODE_FAILED:
                try:
                    yield validate(frame, ANY_SIZE).identity
                except BadInput:
                    continue
