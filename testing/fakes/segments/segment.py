"""Sealed segments, byte for byte as jetstream's docs/README.md has them ("3.1.2", "3.2"), and their rows.

One difference: the checksum is not xxh3, which no package here offers; readers only compare it.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_SIMPLE = {None: b"\xf6", False: b"\xf4", True: b"\xf5"}
KINDS = {"create": 1, "update": 2, "delete": 3, "identity": 4, "account": 5, "sync": 6, "create_resync": 7}
HEADER_BYTES = 256
FILTER = b"\x5a" * 64
"""In place of the footer's other parts, which are not read."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def encode(value: Any) -> bytes:
    """Return the DAG-CBOR of a JSON value; keys of maps are sorted by length, then by bytes."""
    match value:
        case None | bool():
            raw = _SIMPLE[value]
        case int():
            raw = _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            raw = b"\xfb" + struct.pack(">d", value)
        case str():
            raw = _counted(3, value.encode())
        case list():
            raw = _head(4, len(value)) + b"".join(map(encode, value))
        case {"$link": link, **rest} if not rest:
            raw = b"\xd8\x2a" + _counted(2, b"\x00" + _unbase32(link))
        case {"$bytes": text, **rest} if not rest:
            raw = _counted(2, base64.b64decode(text + "=" * (-len(text) % 4)))
        case _:
            raw = _map(value)
    return raw


def _map(value: dict[str, Any]) -> bytes:
    pairs = sorted(
        ((key.encode(), item) for key, item in value.items()), key=lambda pair: (len(pair[0]), pair[0])
    )
    return _head(5, len(pairs)) + b"".join(_counted(3, key) + encode(item) for key, item in pairs)


def _counted(major: int, raw: bytes) -> bytes:
    return _head(major, len(raw)) + raw


def _unbase32(link: str) -> bytes:
    text = link[1:].upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for small, letter, end in ((24, "B", 1 << 8), (25, "H", 1 << 16), (26, "I", 1 << 32), (27, "Q", 1 << 64)):
        if argument < end:
            return bytes([major << 5 | small]) + struct.pack(f">{letter}", argument)
    raise ValueError(f"{argument} does not fit")


class Row(NamedTuple):
    """One row of a block."""

    seq: int
    witnessed_us: int
    kind: int
    did: str
    collection: str
    rkey: str
    rev: str
    payload: bytes


def row_of(frame: bytes, seq: int) -> Row:
    """Return the row of an event of the v1 wire."""
    event = json.loads(frame)
    when, did, kind = event["time_us"], event["did"], event["kind"]
    if kind != "commit":
        return Row(seq, when, KINDS[kind], did, "", "", "", encode(event[kind]))
    commit = event["commit"]
    payload = encode(commit["record"]) if "record" in commit else b""
    names = (commit["collection"], commit["rkey"], commit["rev"])
    return Row(seq, when, KINDS[commit["operation"]], did, *names, payload)


def as_sent(frame: bytes, seq: int) -> bytes:
    """Return the event that a reader makes of its row: with its number, and the CID of its record."""
    event: dict[str, Any] = json.loads(frame)
    if "record" in event.get("commit", {}):
        event["commit"]["cid"] = cid(encode(event["commit"]["record"]))
    return json.dumps(event | {"cursor": seq}).encode()


def cid(payload: bytes) -> str:
    """Return the CID, version 1, of a record's DAG-CBOR."""
    digest = bytes((1, 0x71, 0x12, 32)) + hashlib.sha256(payload).digest()
    return "b" + base64.b32encode(digest).decode().lower().rstrip("=")


@dataclass
class Segment:
    """One sealed segment."""

    number: int
    rows: Sequence[Row]
    block_events: int = 4096
    generation: int = 0
    frames: list[bytes] = field(default_factory=list)
    raw: bytes = b""
    checksum: str = ""

    def __post_init__(self) -> None:
        self.rewrite()

    @property
    def name(self) -> str:
        """Its file name: the number in base 36, ten digits."""
        left, digits = self.number, ""
        while left:
            left, digit = divmod(left, 36)
            digits = DIGITS[digit] + digits
        return f"seg_{digits.zfill(10)}.jss"

    def rewrite(self) -> None:
        """Write it again as the next generation, as a compaction does."""
        self.generation += 1
        bodies = [(rows, block_body(rows)) for rows in _in_blocks(self.rows, self.block_events)]
        compress = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
        self.frames = [compress(body) for _, body in bodies]
        index, at = b"", HEADER_BYTES
        for (rows, body), frame in zip(bodies, self.frames, strict=True):
            seqs, times = [row.seq for row in rows], [row.witnessed_us for row in rows]
            sizes = (at, len(frame), len(body), len(rows))
            index += struct.pack("<QIIIQQqq", *sizes, min(seqs), max(seqs), min(times), max(times))
            at += 8 + len(frame)
        footer = index + FILTER
        blocks = b"".join(struct.pack("<Q", len(frame)) + frame for frame in self.frames)
        filter_at = at + len(index)
        meta = struct.pack(
            "<HIIIQQqqQQQQQ",
            *(1, len(bodies), len(self.rows), len({row.did for row in self.rows})),
            *(min(row.seq for row in self.rows), max(row.seq for row in self.rows)),
            *(self.first_us, self.last_us),
            *(at, filter_at, filter_at + 16, filter_at + 32, at),
        ).ljust(HEADER_BYTES - 12, b"\x00")
        digest = hashlib.blake2b(
            meta + footer, digest_size=8, salt=self.generation.to_bytes(8, "big")
        ).digest()
        self.checksum = f"{int.from_bytes(digest, 'little'):016x}"
        self.raw = b"jss0" + digest + meta + blocks + footer

    @property
    def first_us(self) -> int:
        """Time of its first event."""
        return min(row.witnessed_us for row in self.rows)

    @property
    def last_us(self) -> int:
        """Time of its last event."""
        return max(row.witnessed_us for row in self.rows)

    def listed(self, *, by_first_names: bool) -> dict[str, str | int]:
        """Return its `listSegments` entry; `by_first_names`: with the names of the first lexicon."""
        times = "IndexedAt" if by_first_names else "WitnessedAt"
        return {
            "name": self.name,
            "index": self.number,
            "sizeBytes": len(self.raw),
            "checksum": self.checksum,
            "eventCount": len(self.rows),
            "minSeq": min(row.seq for row in self.rows),
            "maxSeq": max(row.seq for row in self.rows),
            f"min{times}": self.first_us,
            f"max{times}": self.last_us,
        }


def block_body(rows: Sequence[Row]) -> bytes:
    """Return an uncompressed block: columns of numbers, then columns of texts."""
    count = len(rows)
    columns = (
        ("Q", [row.seq for row in rows]),
        ("q", [row.witnessed_us for row in rows]),
        ("q", [0] * count),
        ("B", [row.kind for row in rows]),
        ("B", [len(row.collection.encode()) for row in rows]),
        ("H", [len(row.did.encode()) for row in rows]),
        ("B", [len(row.rkey.encode()) for row in rows]),
        ("B", [len(row.rev.encode()) for row in rows]),
        ("I", [len(row.payload) for row in rows]),
    )
    numbers = b"".join(struct.pack(f"<{count}{letter}", *values) for letter, values in columns)
    texts = (
        "".join(itertools.chain.from_iterable(texts)).encode()
        for texts in zip(*((row.collection, row.did, row.rkey, row.rev) for row in rows), strict=True)
    )
    return struct.pack("<I", count) + numbers + b"".join(texts) + b"".join(row.payload for row in rows)


def _in_blocks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
