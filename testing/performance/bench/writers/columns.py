"""The columns that every contestant of path 2 writes: the writer's own, `extra` left out, in the same order.

Only the writer can fill `extra`: it holds what a column cannot give back, and needs a look at every value.
"""

from __future__ import annotations

from services.archive.schema import SCHEMAS
from services.shared.event import Stream
from testing.harness.pipeline import JETSTREAM

COLUMNS: dict[Stream, tuple[str, ...]] = {
    stream: tuple(name for name in SCHEMAS[stream].names if name != "extra") for stream in JETSTREAM
}
"""Names by stream."""
OPEN = ("embed", "facets", "labels", "record")
"""Columns that hold any JSON, as text."""
ENDS = ("root", "parent")
COMMITS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
LEVEL = 3
"""Of zstd."""
CHUNK = 100_000
"""Rows a file where a list is read: the writer's default."""
