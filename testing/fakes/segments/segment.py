"""Writes sealed segments, byte for byte as jetstream's docs/README.md has them ("3.1.2", "3.2").

But for the checksum's function: xxh3 is in no package here, and whoever reads a segment only compares it.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from testing.fakes.segments.told import Row

HEADER_BYTES = 256
FILTER = b"\x5a" * 64
"""Takes the place of the footer's other parts, which a reader by time has no use for."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


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
        """Its number in base 36, ten digits."""
        left, digits = self.number, ""
        while left:
            left, digit = divmod(left, 36)
            digits = DIGITS[digit] + digits
        return f"seg_{digits.zfill(10)}.jss"

    def rewrite(self) -> None:
        """Make it anew, of the next generation: as a compaction does."""
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
        """When its first event was received."""
        return min(row.witnessed_us for row in self.rows)

    @property
    def last_us(self) -> int:
        """When its last one was."""
        return max(row.witnessed_us for row in self.rows)

    def listed(self, *, by_first_names: bool) -> dict[str, str | int]:
        """Return what `listSegments` says of it; `by_first_names`: as the lexicon's first form had it."""
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
    """Return a block, not compressed: columns of numbers, then columns of texts."""
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
