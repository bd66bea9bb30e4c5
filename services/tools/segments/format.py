"""The file format of segments.

Header, index of blocks, rows of a block, and a row as a frame of the v1 wire. Pure.

Source: jetstream's docs/README.md, "3. Data Layout" (`.jss`, header version 1, little-endian integers), and
internal/subscribe, `Encode`, for frames. Assumptions where that text says nothing:
- the checksum (xxh3) of header and index identifies a generation of the file; it is compared, never
  computed: each block has its own checksum, and the index is compared with the list and with itself;
- the index is at `block_index_offset`, directly before the DID filter, which gives the size of an entry;
- a segment's events are the sum of its blocks' events, also after a compaction;
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
"""Length field before each block in the file, which `getBlock` omits."""
LARGEST_BLOCK = 1 << 28
"""Limit of a block's uncompressed size; a whole segment has about as many compressed bytes."""

_HEADER = struct.Struct("<4sQHIIIQQqqQQQQQ")
_ENTRY = struct.Struct("<QIIIQQqq")
_COUNT = struct.Struct("<I")
CREATE, UPDATE, DELETE, IDENTITY, ACCOUNT, SYNC, CREATE_RESYNC = range(1, 8)


class Damaged(BadInput):
    """Bytes that are not in this format; another download may be undamaged."""


class Header(NamedTuple):
    """The first `HEADER_BYTES` of a sealed segment."""

    checksum: str
    """16 hexadecimal digits that identify the generation, as in the list and the ETag."""
    blocks: int
    events: int
    index_at: int
    """Offset of the index of blocks."""
    index_bytes: int


class Block(NamedTuple):
    """One entry of the index."""

    number: int
    offset: int
    compressed: int
    uncompressed: int
    events: int
    """0 where compaction removed all rows."""
    first_seq: int
    last_seq: int
    first_us: int
    last_us: int
    """Times of the first and last event's receipt by that host, in Unix microseconds."""


class Row(NamedTuple):
    """One event of a block."""

    seq: int
    witnessed_us: int
    """When that host received it, which it sent as `time_us` then; in Unix microseconds."""
    kind: int
    did: str
    collection: str
    rkey: str
    rev: str
    payload: bytes
    """DAG-CBOR of the record, or of the relay's identity or account event; empty for a deletion."""


def read_header(raw: bytes) -> Header:
    """Decode the header of a sealed segment of this version. Raises Damaged for other bytes."""
    if len(raw) < HEADER_BYTES or not raw.startswith(MAGIC):
        raise Damaged("it does not begin with a segment's magic bytes")
    values = _HEADER.unpack_from(raw)
    checksum, version, blocks, events = values[1:5]
    filter_at, index_at = values[11], values[14]
    if checksum == 0:
        raise Damaged("it is not sealed")
    if version != VERSION:
        raise Damaged(f"it has version {version}; this program reads {VERSION}: is there a newer release?")
    index_bytes = filter_at - index_at
    if index_at < HEADER_BYTES or index_bytes != blocks * _ENTRY.size:
        raise Damaged("its index has another form than this program reads: is there a newer release?")
    return Header(f"{checksum:016x}", blocks, events, index_at, index_bytes)


def read_index(raw: bytes, header: Header) -> list[Block]:
    """Decode the index of blocks. Raises Damaged where it contradicts itself or the header."""
    if len(raw) != header.index_bytes:
        raise Damaged(f"its index has {len(raw):,} bytes, not {header.index_bytes:,}")
    blocks = [Block(number, *entry) for number, entry in enumerate(_ENTRY.iter_unpack(raw))]
    if sum(block.events for block in blocks) != header.events:
        raise Damaged("its blocks have another number of events than its header")
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
    """Decompress a block, and check its checksum and sizes. Raises Damaged."""
    if len(frame) != block.compressed:
        raise Damaged(f"{len(frame):,} bytes were received, not {block.compressed:,}")
    if block.uncompressed > LARGEST_BLOCK:
        raise Damaged(f"its uncompressed size is {block.uncompressed:,} bytes")
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.dict_id:
            raise Damaged(f"it needs the dictionary {parameters.dict_id}, which this program does not have")
        if not parameters.has_checksum:
            raise Damaged("it has no checksum")
        if parameters.content_size not in (block.uncompressed, zstandard.CONTENTSIZE_UNKNOWN):
            raise Damaged(f"it has {parameters.content_size:,} bytes, not {block.uncompressed:,}")
        body = zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=block.uncompressed, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise Damaged(f"it does not decompress: {error}") from error
    if len(body) != block.uncompressed:
        raise Damaged(f"it decompressed to {len(body):,} bytes, not {block.uncompressed:,}")
    return body


def read_rows(body: bytes, block: Block) -> list[Row]:
    """Decode the rows of a block. Raises Damaged where the block contradicts itself or the index."""
    try:
        return list(_rows(body, block))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Damaged(f"its columns are inconsistent: {error}") from error


def _rows(body: bytes, block: Block) -> Iterator[Row]:
    (count,) = _COUNT.unpack_from(body)
    if count != block.events:
        raise Damaged(f"it has {count:,} events, not {block.events:,}")
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
        raise Damaged("bytes follow its columns")
    if any(not block.first_seq <= seq <= block.last_seq for seq in seqs):
        raise Damaged("it has events that the index has elsewhere")
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
_NOT_ON_V1 = (SYNC, CREATE_RESYNC)


def frame_of(row: Row) -> bytes | None:
    """Return a row as a v1 frame, or None for a kind of row that v1 does not send.

    Raises BadInput for no event.

    `time_us` is the time of receipt, as the host sent it then, and not a time set later by its operator,
    which could be outside the gap.
    """
    if row.kind in _NOT_ON_V1:
        return None
    event: dict[str, Any] = {"did": row.did, "time_us": row.witnessed_us}
    if row.kind in _KINDS:
        kind = _KINDS[row.kind]
        event |= {"kind": kind, kind: read_record(row.payload)}
    elif row.kind in OPERATIONS:
        event |= {"kind": "commit", "commit": _commit(row)}
    else:
        raise BadInput(f"a row of an unknown kind: {row.kind}")
    event["cursor"] = row.seq
    return msgspec.json.encode(event)


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
