"""The limit: read the lists, and write tables that were finished before, synced. No work in between.

What is read is thrown away; the tables are the writer's own, made before the clock starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from services.archive.parquet import write_table
from services.archive.schema import DEFAULT_COMPRESSION
from services.buffer.claims import SLICE
from services.buffer.keys import buffer_key
from services.data_writer.encoding.encode import encode
from testing.performance.bench.child import SECONDS, Stopwatch
from testing.performance.bench.writers.columns import CHUNK, COLUMNS

if TYPE_CHECKING:
    from services.data_writer.encoding.encode import Part
    from services.shared.event import Stream


def write(redis_url: str, folder: Path) -> None:
    """Read every buffer, and write its parts into `folder`, each synced."""
    server = redis.Redis.from_url(redis_url, socket_timeout=SECONDS)
    ready: dict[Stream, list[Part]] = {}
    for stream in COLUMNS:
        elements = server.lrange(buffer_key(stream), 0, -1)
        chunks: list[Any] = [elements[at : at + CHUNK] for at in range(0, len(elements), CHUNK)]
        ready[stream] = [part for chunk in chunks for part in encode(stream, chunk).parts]
    watch, rows, size = Stopwatch(), 0, 0
    for stream, parts in ready.items():
        at = 0
        while elements := server.lrange(buffer_key(stream), at, at + SLICE - 1):
            at += len(elements)
        for number, part in enumerate(parts):
            with (folder / f"{stream}-{number}.parquet").open("wb") as file:
                write_table(file, part.stream, part.table, {}, DEFAULT_COMPRESSION)
                file.flush()
                os.fsync(file.fileno())
                size += file.tell()
        rows += at
    watch.tell(rows, size)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
