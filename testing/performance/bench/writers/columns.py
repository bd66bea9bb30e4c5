"""The columns that every contestant of path 2 writes: the writer's, in order, without `extra`."""

from __future__ import annotations

from services.archive.schema import SCHEMAS
from services.shared.event import JETSTREAM_STREAMS, Stream

COLUMNS: dict[Stream, tuple[str, ...]] = {
    stream: tuple(name for name in SCHEMAS[stream].names if name != "extra") for stream in JETSTREAM_STREAMS
}
"""Names of columns by stream."""
OPEN = ("embed", "facets", "labels", "record")
"""Columns that hold any JSON, as text."""
ENDS = ("root", "parent")
COMMITS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
LEVEL = 3
"""Level of zstd."""
CHUNK = 100_000
"""Rows per file if a list is read: the writer's default."""
