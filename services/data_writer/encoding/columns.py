"""Convert the decoded events of one stream to Arrow columns.

One pass over all events per column, not all columns per event: that takes a third of the encoding time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw, Struct, field

from services.archive.schema import SCHEMAS, time_column
from services.data_writer.encoding.decode import NO_REF, NULL, Follow, Like, Post
from services.data_writer.encoding.lenient import DECODE_ERRORS, Residual
from services.data_writer.encoding.timestamps import read_column
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Used as the record of a delete, so that columns need not test whether there is one.
_NO_POST = Post(NULL, NULL, NULL)
_NO_LIKE = Like(NULL, NULL, NO_REF)
_NO_FOLLOW = Follow(NULL, NULL, NULL)

Columns = dict[str, Any]
"""The values of each column in the order of the events; Arrow arrays where that is cheaper."""


class ResidualsByIndex(dict[int, Residual]):
    """Residuals by the index of their event; a lookup creates a missing one."""

    def __missing__(self, index: int) -> Residual:
        self[index] = Residual()
        return self[index]


def to_table(stream: Stream, events: Sequence[Any], residuals: ResidualsByIndex) -> pa.Table:
    """Return the decoded events, in order, as a table of the stream's schema.

    Adds to `residuals` the times that their column does not reproduce. Raises pyarrow's errors, or
    UnicodeError, for a value that Arrow cannot store.
    """
    columns = _COLUMNS_OF[stream](events, residuals)
    hour_from = time_column(stream)
    columns[hour_from] = pa.array(columns[hour_from], pa.int64())
    columns["event_time"] = pc.divide(columns[hour_from], 1000).view(pa.timestamp("ms", tz="UTC"))
    schema = SCHEMAS[stream]
    if "extra" in schema.names:
        columns["extra"] = _extra(len(events), residuals)
    arrays = [_array(columns[column.name], column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _extra(count: int, residuals: ResidualsByIndex) -> pa.Array:
    if not residuals:
        return pa.nulls(count, pa.string())
    texts: list[bytes | None] = [None] * count
    for index, residual in residuals.items():
        texts[index] = residual.extra()
    return pa.array(texts, pa.string())


def _times(texts: list[Any], level: str, key: str, residuals: ResidualsByIndex) -> pa.Array:
    column, inexact = read_column(texts)
    for index in inexact:
        residuals[index].keep(level, key, texts[index])
    return column


def _envelope(events: Sequence[Any]) -> Columns:
    return {
        "time_us": [event.time_us for event in events],
        "did": [event.did for event in events],
        "cursor": [event.cursor for event in events],
    }


def _commit(events: Sequence[Any]) -> Columns:
    commits = [event.commit for event in events]
    return _envelope(events) | {
        "operation": [commit.operation for commit in commits],
        "collection": [commit.collection for commit in commits],
        "rkey": [commit.rkey for commit in commits],
        "rev": [commit.rev for commit in commits],
        "cid": [commit.cid for commit in commits],
    }


def _records_of(events: Sequence[Any], blank: Struct) -> list[Any]:
    return [event.commit.record or blank for event in events]


def _created_at(records: list[Any], residuals: ResidualsByIndex) -> pa.Array:
    return _times([record.created_at for record in records], "record", "createdAt", residuals)


def _likes(events: Sequence[Any], residuals: ResidualsByIndex) -> Columns:
    records = _records_of(events, _NO_LIKE)
    subjects = [record.subject for record in records]
    vias = [record.via for record in records]
    return _commit(events) | {
        "created_at": _created_at(records, residuals),
        "subject_uri": [subject.uri for subject in subjects],
        "subject_cid": [subject.cid for subject in subjects],
        "via_uri": [via.uri for via in vias],
        "via_cid": [via.cid for via in vias],
    }


def _follows(events: Sequence[Any], residuals: ResidualsByIndex) -> Columns:
    records = _records_of(events, _NO_FOLLOW)
    return _commit(events) | {
        "created_at": _created_at(records, residuals),
        "subject_did": [record.subject for record in records],
    }


def _posts(events: Sequence[Any], residuals: ResidualsByIndex) -> Columns:
    records = _records_of(events, _NO_POST)
    roots = [record.reply.root for record in records]
    parents = [record.reply.parent for record in records]
    return _commit(events) | {
        "created_at": _created_at(records, residuals),
        "text": [record.text for record in records],
        "langs": [record.langs for record in records],
        "reply_root_uri": [root.uri for root in roots],
        "reply_root_cid": [root.cid for root in roots],
        "reply_parent_uri": [parent.uri for parent in parents],
        "reply_parent_cid": [parent.cid for parent in parents],
        "embed_type": [_embed_type(record.embed) for record in records],
        "embed": [_json(record.embed) for record in records],
        "facets": [_json(record.facets) for record in records],
        "labels": [_json(record.labels) for record in records],
        "tags": [record.tags for record in records],
    }


def _records(events: Sequence[Any], _: ResidualsByIndex) -> Columns:
    raws = [event.commit.record for event in events]
    # `record` holds the text, so a time that the column does not reproduce needs no residual.
    created_at, _inexact = read_column([_created_at_of(raw) for raw in raws])
    return _commit(events) | {"created_at": created_at, "record": [_json(raw) for raw in raws]}


def _identities(events: Sequence[Any], residuals: ResidualsByIndex) -> Columns:
    identities = [event.identity for event in events]
    times = [identity.time for identity in identities]
    return _envelope(events) | {
        "handle": [identity.handle for identity in identities],
        "relay_seq": [identity.seq for identity in identities],
        "relay_time": _times(times, "identity", "time", residuals),
    }


def _accounts(events: Sequence[Any], residuals: ResidualsByIndex) -> Columns:
    accounts = [event.account for event in events]
    times = [account.time for account in accounts]
    return _envelope(events) | {
        "active": [account.active for account in accounts],
        "status": [account.status for account in accounts],
        "relay_seq": [account.seq for account in accounts],
        "relay_time": _times(times, "account", "time", residuals),
    }


def _rejects(events: Sequence[Any], _: ResidualsByIndex) -> Columns:
    return {name: [getattr(event, name) for event in events] for name in _REJECT_COLUMNS}


def _gaps(events: Sequence[Any], _: ResidualsByIndex) -> Columns:
    return {name: [getattr(event, name) for event in events] for name in _GAP_COLUMNS}


_REJECT_COLUMNS = ("reason", "frame", "host", "received_at", "stream")
_GAP_COLUMNS = ("from_us", "to_us", "reason", "host", "collection", "received_at")

_COLUMNS_OF: dict[Stream, Callable[[Sequence[Any], ResidualsByIndex], Columns]] = {
    Stream.POSTS: _posts,
    Stream.LIKES: _likes,
    Stream.REPOSTS: _likes,
    Stream.FOLLOWS: _follows,
    Stream.RECORDS: _records,
    Stream.IDENTITIES: _identities,
    Stream.ACCOUNTS: _accounts,
    Stream.REJECTS: _rejects,
    Stream.GAPS: _gaps,
}


class _Typed(Struct, gc=False):
    type: str = field(name="$type", default=NULL)


class _Created(Struct, gc=False):
    created_at: str = field(name="createdAt", default=NULL)


_TYPED = msgspec.json.Decoder(_Typed)
_CREATED = msgspec.json.Decoder(_Created)


def _json(raw: Raw | None) -> bytes | None:
    return None if raw is None else bytes(raw)


def _embed_type(raw: Raw | None) -> str | None:
    try:
        return None if raw is None else _TYPED.decode(raw).type
    except DECODE_ERRORS:  # an embed may be any JSON
        return None


def _created_at_of(raw: Raw | None) -> str | None:
    try:
        return None if raw is None else _CREATED.decode(raw).created_at
    except DECODE_ERRORS:  # so may a record
        return None
