"""The Arrow schema of each stream, its time, identity and sort columns, and how it is written to Parquet.

The schemas are explicit, because an inferred one breaks readers: a first part whose `langs` are all null
would be typed null, and could not be read together with the next part. They are versioned, and columns are
only added: a column keeps its name, type and meaning. DATA.md documents the columns for readers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa

from services.shared.event import OWN_STREAMS, Stream

SCHEMA_VERSION = 1
"""Raised when a column is added; written into every part's footer."""

ROWS_PER_ROW_GROUP = 256 * 1024
"""A chunk is one group: compression finds repeats only within it (likes: 98.2 B/event, 99.4 at 128 Ki)."""

_INSTANT = pa.timestamp("ms", tz="UTC")
"""Milliseconds, as clients write them, at half the bytes; `time_us` is exact, `extra` keeps longer texts."""
_TEXT = pa.string()


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _optional(*names: str, kind: pa.DataType = _TEXT) -> list[pa.Field]:
    return [pa.field(name, kind) for name in names]


_ENVELOPE = [
    _required("time_us", pa.int64()),
    _required("event_time", _INSTANT),
    _required("did", _TEXT),
    *_optional("cursor", kind=pa.int64()),
]
_COMMIT = [
    *_ENVELOPE,
    _required("operation", _TEXT),
    _required("collection", _TEXT),
    _required("rkey", _TEXT),
    _required("rev", _TEXT),
    *_optional("cid"),
    *_optional("created_at", kind=_INSTANT),
]
_SUBJECT = _optional("subject_uri", "subject_cid", "via_uri", "via_cid")
_RELAY = [_required("relay_seq", pa.int64()), *_optional("relay_time", kind=_INSTANT)]
_EXTRA = _optional("extra")
_RECEIPT = [_required("received_at", pa.int64()), _required("event_time", _INSTANT)]

SCHEMAS: dict[Stream, pa.Schema] = {
    Stream.POSTS: pa.schema(
        [
            *_COMMIT,
            *_optional("text"),
            *_optional("langs", kind=pa.list_(_TEXT)),
            *_optional("reply_root_uri", "reply_root_cid", "reply_parent_uri", "reply_parent_cid"),
            *_optional("embed_type", "embed", "facets", "labels"),
            *_optional("tags", kind=pa.list_(_TEXT)),
            *_EXTRA,
        ]
    ),
    Stream.LIKES: pa.schema([*_COMMIT, *_SUBJECT, *_EXTRA]),
    Stream.REPOSTS: pa.schema([*_COMMIT, *_SUBJECT, *_EXTRA]),
    Stream.FOLLOWS: pa.schema([*_COMMIT, *_optional("subject_did"), *_EXTRA]),
    Stream.RECORDS: pa.schema([*_COMMIT, *_optional("record"), *_EXTRA]),
    Stream.IDENTITIES: pa.schema([*_ENVELOPE, *_optional("handle"), *_RELAY, *_EXTRA]),
    Stream.ACCOUNTS: pa.schema(
        [*_ENVELOPE, *_optional("active", kind=pa.bool_()), *_optional("status"), *_RELAY, *_EXTRA]
    ),
    Stream.REJECTS: pa.schema(
        [
            _required("reason", _TEXT),
            _required("frame", pa.binary()),
            _required("host", _TEXT),
            *_RECEIPT,
            *_optional("stream"),
        ]
    ),
    Stream.GAPS: pa.schema(
        [
            _required("from_us", pa.int64()),
            _required("to_us", pa.int64()),
            _required("reason", _TEXT),
            _required("host", _TEXT),
            *_optional("collection"),
            *_RECEIPT,
        ]
    ),
}
"""The columns of each stream, in order."""


_COMMIT_IDENTITY = ("did", "rev", "collection", "rkey", "operation")
_RELAYED_IDENTITY = ("did", "relay_seq")

IDENTITY_COLUMNS: dict[Stream, tuple[str, ...]] = {
    Stream.POSTS: _COMMIT_IDENTITY,
    Stream.LIKES: _COMMIT_IDENTITY,
    Stream.REPOSTS: _COMMIT_IDENTITY,
    Stream.FOLLOWS: _COMMIT_IDENTITY,
    Stream.RECORDS: _COMMIT_IDENTITY,
    Stream.IDENTITIES: _RELAYED_IDENTITY,
    Stream.ACCOUNTS: _RELAYED_IDENTITY,
    Stream.REJECTS: ("frame",),
    Stream.GAPS: ("from_us", "to_us", "reason", "host", "collection"),
}
"""Rows of a stream that agree in these columns are the same event."""

SORT_COLUMNS: dict[Stream, tuple[str, ...]] = {
    Stream.POSTS: ("did", "time_us"),
    Stream.LIKES: ("subject_uri", "time_us"),
    Stream.REPOSTS: ("subject_uri", "time_us"),
    Stream.FOLLOWS: ("subject_did", "time_us"),
    Stream.RECORDS: ("did", "time_us"),
    Stream.IDENTITIES: ("did", "time_us"),
    Stream.ACCOUNTS: ("did", "time_us"),
    Stream.REJECTS: ("received_at",),
    Stream.GAPS: ("from_us", "to_us"),
}
"""Sort order of a compacted file, ascending: chosen for size, and for lookups by post, subject or account."""

BLOOM_COLUMNS: dict[Stream, tuple[str, ...]] = {
    Stream.LIKES: ("did",),
    Stream.REPOSTS: ("did",),
    Stream.FOLLOWS: ("did",),
}
"""Columns of a compacted file that get a Bloom filter: looked up by one value, and not sorted."""


def time_column(stream: Stream) -> str:
    """Return the column whose value, in Unix microseconds, decides a row's hour."""
    return "received_at" if stream in OWN_STREAMS else "time_us"


def schema_difference(stream: Stream, schema: pa.Schema, version: int) -> str | None:
    """Return how a file's columns differ from the stream's, or None.

    A file of an older schema version has the first of the columns.
    """
    if version > SCHEMA_VERSION:
        return f"schema version {version} is newer than this program's {SCHEMA_VERSION}"
    ours = SCHEMAS[stream]
    if version == SCHEMA_VERSION and schema.names != ours.names:
        return f"columns {', '.join(schema.names)}"
    for column in schema:
        index = ours.get_field_index(column.name)
        if index < 0 or not ours.field(index).type.equals(column.type):
            return f"column {column.name} of type {column.type}"
    return None


class Codec(StrEnum):
    """How a part's pages are compressed."""

    ZSTD = "zstd"
    SNAPPY = "snappy"
    GZIP = "gzip"
    LZ4 = "lz4"
    NONE = "none"


class Compression(NamedTuple):
    """A codec and, for zstd and gzip, its level."""

    codec: Codec = Codec.ZSTD
    level: int | None = 3
    """None: the codec's own default. Ignored for codecs without levels."""


DEFAULT_COMPRESSION = Compression()


class ColumnEncodings(NamedTuple):
    """Parquet encodings of the leaves of one stream's columns, applied before compression."""

    dictionary: list[str]
    """Leaves whose values repeat within a row group."""
    direct: dict[str, str]
    """Parquet encoding of every other leaf, by its path."""


# Chosen by measured bytes per event (DATA.md, "Size"). A dictionary saves bytes for few values, and for the
# subject of a like, which repeats beyond zstd's window; elsewhere its indices cost more than the repeats.
_FEW_VALUES = {"operation", "collection", "embed_type", "labels", "langs.list.element", "status", "reason"}
_FEW_VALUES |= {"host", "stream"}
_ENCODING_OF_TYPE = {
    pa.int64(): "DELTA_BINARY_PACKED",
    _INSTANT: "DELTA_BINARY_PACKED",
    pa.string(): "DELTA_BYTE_ARRAY",
    pa.binary(): "DELTA_LENGTH_BYTE_ARRAY",
    pa.list_(_TEXT): "DELTA_BYTE_ARRAY",
    pa.bool_(): "PLAIN",
}
_PROSE = {"text": "DELTA_LENGTH_BYTE_ARRAY", "record": "PLAIN"}


def column_encodings(stream: Stream) -> ColumnEncodings:
    """Return the encodings of a stream's leaves."""
    repeating = _FEW_VALUES | ({"subject_uri", "subject_cid"} if stream is Stream.LIKES else set())
    leaves = {_leaf(column): column for column in SCHEMAS[stream]}
    return ColumnEncodings(
        dictionary=[leaf for leaf in leaves if leaf in repeating],
        direct={
            leaf: _PROSE.get(leaf, _ENCODING_OF_TYPE[column.type])
            for leaf, column in leaves.items()
            if leaf not in repeating
        },
    )


def _leaf(column: pa.Field) -> str:
    return f"{column.name}.list.element" if pa.types.is_list(column.type) else str(column.name)
