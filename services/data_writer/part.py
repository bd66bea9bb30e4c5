"""What encode hands to commit: the tables of one chunk, and what is to be told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

    from services.archive.paths import Chunk
    from services.shared.event import Stream


class Part(NamedTuple):
    """One hour's share of a chunk, of one schema, not yet written."""

    stream: Stream
    """Whose schema and directory: the chunk's own, or `rejects` for what could not be encoded."""
    hour: int
    """Counted from 1970-01-01T00Z."""
    table: pa.Table


class Rejected(NamedTuple):
    """An element that could not be encoded."""

    element: bytes
    time_us: int
    """Its own time where readable, else the chunk's first, else 0: the same at every attempt."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One chunk, encoded: every element is a row of exactly one part."""

    chunk: Chunk
    parts: tuple[Part, ...]
    rows: int
    """Elements that became rows of the chunk's own stream."""
    rejected: tuple[Rejected, ...]
    """Elements that became rows of `rejects`, with reason `encode_failed`."""
    type_mismatches: int
    """Values whose type was not their column's: the column is null there, and `extra` holds the value."""
    raw_bytes: int
    """Of all elements."""
