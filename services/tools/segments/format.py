"""Pure: the form of a segment: its header, the index of its blocks, and the rows of a block.

Source: jetstream's docs/README.md, "3. Data Layout" (`.jss`, header version 1, all integers little-endian).
All that is taken for granted of the form stands in this file; where that text is silent, this is assumed:
- the header's and the index's checksum (xxh3) names a generation of the file; it is compared, never computed,
  because each block has a checksum of its own and the index is held against the list and against itself;
- the index lies at `block_index_offset`, directly before the DID filter, which tells an entry's size;
- a segment's events are the sum of its blocks', after a compaction too;
- blocks are compressed without a dictionary.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import zstandard

from services.shared.errors import BadInput
from services.tools.segments.dag_cbor import cid_of, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEADER_BYTES = 256
MAGIC = b"jss0"
VERSION = 1
PREFIX_BYTES = 8
"""A block's length stands before it in the file; `getBlock` leaves it out."""
LARGEST_BLOCK = 1 << 28
"""Uncompressed: a whole segment is about as much compressed."""

_HEADER = struct.Struct("<4sQHIIIQQqqQQQQQ")
_ENTRY = struct.Struct("<QIIIQQqq")
_COUNT = struct.Struct("<I")
CREATE, UPDATE, DELETE, IDENTITY, ACCOUNT, SYNC, CREATE_RESYNC = range(1, 8)


class Damaged(BadInput):
    """Bytes that are not what they should be; another download may be."""


class Header(NamedTuple):
    """The first `HEADER_BYTES` of a sealed segment."""

    checksum: str
    """16 hexadecimal digits: the generation, as the list and the ETag have it."""
    blocks: int
    events: int
    index_at: int
    """Where the index of the blocks begins."""
    index_bytes: int


class Block(NamedTuple):
    """One entry of the index."""

    number: int
    offset: int
    compressed: int
    uncompressed: int
    events: int
    """0: all of its rows were compacted away."""
    first_seq: int
    last_seq: int
    first_us: int
    last_us: int
    """Both ends are in, in Unix microseconds of receipt by that server."""


class Row(NamedTuple):
    """One event as it lies in a block."""

    seq: int
    witnessed_us: int
    """When that server received it: what it told as `time_us` then."""
    kind: int
    did: str
    collection: str
    rkey: str
    rev: str
    payload: bytes
    """DAG-CBOR of the record, or of the relay's identity or account event; empty for a deletion."""


def read_header(raw: bytes) -> Header:
    """Read a header. Raises Damaged for what is none of a sealed segment of this version."""
    if len(raw) < HEADER_BYTES or not raw.startswith(MAGIC):
        raise Damaged("it does not begin as a segment does")
    values = _HEADER.unpack_from(raw)
    checksum, version, blocks, events = values[1:5]
    filter_at, index_at = values[11], values[14]
    if checksum == 0:
        raise Damaged("it is not sealed")
    if version != VERSION:
        raise Damaged(f"it is of version {version}; this program knows {VERSION}: is there a newer one?")
    index_bytes = filter_at - index_at
    if index_at < HEADER_BYTES or index_bytes != blocks * _ENTRY.size:
        raise Damaged("its index has another form than this program knows: is there a newer one?")
    return Header(f"{checksum:016x}", blocks, events, index_at, index_bytes)


def read_index(raw: bytes, header: Header) -> list[Block]:
    """Read the index of the blocks. Raises Damaged for one that contradicts itself or its header."""
    if len(raw) != header.index_bytes:
        raise Damaged(f"its index has {len(raw):,} bytes, not {header.index_bytes:,}")
    blocks = [Block(number, *entry) for number, entry in enumerate(_ENTRY.iter_unpack(raw))]
    if sum(block.events for block in blocks) != header.events:
        raise Damaged("its blocks hold another number of events than its header says")
    ends = [HEADER_BYTES, *(block.offset + PREFIX_BYTES + block.compressed for block in blocks)]
    if (
        any(block.offset < end for block, end in zip(blocks, ends, strict=False))
        or ends[-1] > header.index_at
    ):
        raise Damaged("its blocks overlap")
    if any(block.first_seq > block.last_seq or block.first_us > block.last_us for block in blocks):
        raise Damaged("a block of it ends before it begins")
    if any(one.last_seq >= other.first_seq for one, other in pairwise(blocks)):
        raise Damaged("its blocks are not in order")
    return blocks


def open_block(frame: bytes, block: Block) -> bytes:
    """Return a block's body, checked by its own checksum and its sizes. Raises Damaged when damaged."""
    if len(frame) != block.compressed:
        raise Damaged(f"{len(frame):,} bytes came, not {block.compressed:,}")
    if block.uncompressed > LARGEST_BLOCK:
        raise Damaged(f"it says that it becomes {block.uncompressed:,} bytes")
    try:
        said = zstandard.get_frame_parameters(frame)
        if said.dict_id:
            raise Damaged(f"it needs the dictionary {said.dict_id}, which this program does not know")
        if not said.has_checksum:
            raise Damaged("it has no checksum")
        if said.content_size not in (block.uncompressed, zstandard.CONTENTSIZE_UNKNOWN):
            raise Damaged(f"it becomes {said.content_size:,} bytes, not {block.uncompressed:,}")
        body = zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=block.uncompressed, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise Damaged(f"it does not unpack: {error}") from error
    if len(body) != block.uncompressed:
        raise Damaged(f"it became {len(body):,} bytes, not {block.uncompressed:,}")
    return body


def read_rows(body: bytes, block: Block) -> list[Row]:
    """Read the rows of a block's body. Raises Damaged for one that contradicts itself or the index."""
    try:
        return list(_rows(body, block))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Damaged(f"its columns do not fit: {error}") from error


def _rows(body: bytes, block: Block) -> Iterator[Row]:
    (count,) = _COUNT.unpack_from(body)
    if count != block.events:
        raise Damaged(f"it holds {count:,} events, not {block.events:,}")
    columns, at = [], _COUNT.size
    for letter in "QqqBBHBBI":
        column = struct.Struct(f"<{count}{letter}")
        columns.append(column.unpack_from(body, at))
        at += column.size
    seqs, witnessed, _indexed, kinds, collection_sizes, did_sizes, rkey_sizes, rev_sizes, sizes = columns
    texts = []
    for column_sizes in (collection_sizes, did_sizes, rkey_sizes, rev_sizes):
        texts.append([bytes(value).decode() for value in _cut(body, at, column_sizes)])
        at += sum(column_sizes)
    payloads = list(_cut(body, at, sizes))
    if at + sum(sizes) != len(body):
        raise Damaged("its columns do not fill it")
    if any(not block.first_seq <= seq <= block.last_seq for seq in seqs):
        raise Damaged("it holds events that the index has elsewhere")
    for seq, when, kind, collection, did, rkey, rev, payload in zip(
        seqs, witnessed, kinds, *texts, payloads, strict=True
    ):
        yield Row(seq, when, kind, did, collection, rkey, rev, payload)


def _cut(body: bytes, at: int, sizes: Sequence[int]) -> Iterator[bytes]:
    for size in sizes:
        yield body[at : at + size]
        at += size


OPERATIONS = {CREATE: "create", UPDATE: "update", DELETE: "delete"}
_KINDS = {IDENTITY: "identity", ACCOUNT: "account"}
_UNHEARD = (SYNC, CREATE_RESYNC)


def frame_of(row: Row) -> bytes | None:
    """Return a row's frame, or None where the wire has none. Raises BadInput for a row that holds no event.

    `time_us` is when that server received it, as it told it then: a time that its operator set later would
    file the event outside the hole it is missing from.
    """
    if row.kind in _UNHEARD:
        return None
    told: dict[str, Any] = {"did": row.did, "time_us": row.witnessed_us}
    if row.kind in _KINDS:
        kind = _KINDS[row.kind]
        told |= {"kind": kind, kind: read_record(row.payload)}
    elif row.kind in OPERATIONS:
        told |= {"kind": "commit", "commit": _commit(row)}
    else:
        raise BadInput(f"a row of an unknown kind: {row.kind}")
    told["cursor"] = row.seq
    return msgspec.json.encode(told)


def _commit(row: Row) -> dict[str, Any]:
    commit: dict[str, Any] = {
        "rev": row.rev,
        "operation": OPERATIONS[row.kind],
        "collection": row.collection,
        "rkey": row.rkey,
    }
    if row.kind != DELETE:
        commit |= {"record": read_record(row.payload), "cid": cid_of(row.payload)}
    return commit
