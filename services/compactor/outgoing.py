"""The files that an hour becomes: written one after another, each durable and read back before the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.compute as pc

from services.archive import footer as footers
from services.archive.durable import sync_open
from services.archive.manifest import Output
from services.archive.parquet import PartWriter, ReadHints, check_file
from services.archive.paths import HOUR_US, compacted_name, inputs_id
from services.archive.schema import SCHEMA_VERSION, SCHEMAS, SORT_COLUMNS, Codec, Compression, time_column
from services.shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from services.archive.catalog import File
    from services.archive.footer import Counts
    from services.compactor.job import Job, MergeLimits
    from services.shared.event import Stream


@dataclass(kw_only=True)
class Outgoing:
    """The files that are written, one after another; each is durable when it is ended."""

    job: Job
    folder: Path
    bounds: MergeLimits
    left: Counts
    """Rows to come, by epoch and source stream."""
    removed: Counts
    duplicates: int
    distinct: dict[str, int]
    done: list[Output] = field(default_factory=list)
    _open: _Open | None = None

    def write(self, table: pa.Table) -> None:
        """Write a row group; ends the file where it is large enough."""
        if self._open is None:
            self._open = _Open(self._staged(), self.job.stream, self.bounds, self.distinct)
        self._open.write(table)
        if self._open.writer.bytes >= self.bounds.file_bytes:
            self._end_file(self._open)

    def end(self) -> tuple[Output, ...]:
        """End the last file; where no row is left there is a file still, to account for what went."""
        if self._open is None and not self.done:
            self._open = _Open(self._staged(), self.job.stream, self.bounds, self.distinct)
        if self._open is not None:
            self._end_file(self._open)
        return tuple(self.done)

    def _staged(self) -> Path:
        return self.folder / f"{len(self.done)}.tmp"

    def _end_file(self, file: _Open) -> None:
        counts, self.left = footers.split(self.left, file.rows)
        identity = inputs_id(self.job.id, str(len(self.done)))
        start_us = self.job.hour * HOUR_US
        first_us = start_us if file.first_us is None else file.first_us
        last_us = start_us if file.last_us is None else file.last_us
        name = compacted_name(first_us, last_us, file.rows, identity)
        file.seal(self._footer(counts, file.rows))
        path = self.folder / name
        self._staged().rename(path)
        check_file(path, file.rows, SCHEMAS[self.job.stream])
        self.done.append(Output(name, file.rows, path.stat().st_size))
        self._open = None

    def _footer(self, counts: Counts, rows: int) -> dict[str, str]:
        # What is said of the hour as a whole stands in its first file, so that sums over files are right.
        first = not self.done
        return {
            "archive.schema_version": str(SCHEMA_VERSION),
            "archive.writer_version": VERSION,
            "archive.stream": self.job.stream.value,
            "archive.rows": str(rows),
            footers.COMPACTED: "1",
            footers.ROWS_BY_EPOCH: _json(counts),
            footers.REMOVED_BY_EPOCH: _json(self.removed if first else {}),
            footers.DUPLICATES: str(self.duplicates if first else 0),
            footers.SOURCES: _json(_sources(self.job.files) if first else ()),
            footers.COMPARED: _json(sorted(self.job.compared) if first else ()),
        }


class _Open:
    """The file that is being written."""

    def __init__(self, path: Path, stream: Stream, bounds: MergeLimits, distinct: dict[str, int]) -> None:
        self._file = path.open("wb")
        self._stream = stream
        finding = ReadHints(SORT_COLUMNS[stream], distinct)
        self.writer = PartWriter(self._file, stream, Compression(Codec.ZSTD, bounds.level), finding)
        self.rows = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def write(self, table: pa.Table) -> None:
        self.writer.write(table)
        self.rows += table.num_rows
        ends = pc.min_max(table[time_column(self._stream)]).as_py()
        self.first_us = ends["min"] if self.first_us is None else min(self.first_us, ends["min"])
        self.last_us = ends["max"] if self.last_us is None else max(self.last_us, ends["max"])

    def seal(self, footer: dict[str, str]) -> None:
        with self._file:
            self.writer.seal(footer)
            sync_open(self._file)


def _sources(files: Sequence[File]) -> tuple[footers.SourceChunk, ...]:
    return tuple(sorted({source for file in files for source in file.sources}, key=lambda one: one.chunk))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
