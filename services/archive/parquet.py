"""Writes one table as one Parquet file, and reads back that it is one. The file that speaks Parquet.

Readable by any engine: plain Parquet 2 types, no extension types, no column of the partition inside the file.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive.schema import ROWS_PER_ROW_GROUP, SCHEMAS, column_encodings
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.shared.event import Stream


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
    """None: the codec's own default. Not looked at for codecs that have no levels."""


DEFAULT_COMPRESSION = Compression()


class ReadHints(NamedTuple):
    """What helps a reader to leave out what it does not look for."""

    sorted_by: tuple[str, ...] = ()
    """Columns by which all rows are sorted, ascending."""
    distinct: Mapping[str, int] = MappingProxyType({})
    """Columns that get a Bloom filter, each with about how many values a row group has of it."""


NO_HINTS = ReadHints()

_FALSE_FINDS = 0.01
_BLOCK_BYTES = 1024 * 1024
_PAGE_BYTES = 8 * 1024 * 1024
_DICTIONARY_BYTES = 64 * 1024 * 1024
_WITH_LEVELS = (Codec.ZSTD, Codec.GZIP)


class _Digesting:
    """A sink that knows the SHA-256 of all it has passed on."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, block: bytes) -> int:
        self._digest.update(block)
        self.bytes += len(block)
        return self._sink.write(block)

    def flush(self) -> None:
        self._sink.flush()

    def seal(self) -> dict[str, str]:
        """Return what the footer says of the bytes so far."""
        return {"archive.rows_sha256": self._digest.hexdigest(), "archive.rows_bytes": str(self.bytes)}


class PartWriter:
    """Writes one file of a stream's rows, a table at a time; `seal` ends it, and gives it its footer.

    `archive.rows_sha256` in the footer is that of the file's first `archive.rows_bytes` bytes: the magic
    number and all row groups, thus every page of every row. Raises OSError as the sink does.
    """

    def __init__(
        self, sink: BinaryIO, stream: Stream, compression: Compression, finding: ReadHints = NO_HINTS
    ) -> None:
        encodings = column_encodings(stream)
        schema = SCHEMAS[stream]
        self._digesting = _Digesting(sink)
        self._writer = pq.ParquetWriter(
            self._digesting,
            schema,
            version="2.6",
            compression=compression.codec.value,
            compression_level=compression.level if compression.codec in _WITH_LEVELS else None,
            use_dictionary=encodings.dictionary,
            column_encoding=encodings.direct,
            # A page spans its row group: repeats are found only within a page, and a dictionary given up
            # half-way is worse than none.
            data_page_size=_PAGE_BYTES,
            max_rows_per_page=ROWS_PER_ROW_GROUP,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_page_index=True,
            write_page_checksum=True,
            sorting_columns=[pq.SortingColumn(schema.get_field_index(name)) for name in finding.sorted_by]
            or None,
            bloom_filter_options={
                name: {"ndv": max(1, values), "fpp": _FALSE_FINDS}
                for name, values in finding.distinct.items()
            }
            or None,
        )

    @property
    def bytes(self) -> int:
        """Bytes written so far."""
        return self._digesting.bytes

    def write(self, table: pa.Table) -> None:
        """Write rows; each full ROWS_PER_ROW_GROUP of a table is a row group."""
        self._writer.write_table(table, row_group_size=ROWS_PER_ROW_GROUP)

    def seal(self, footer: Mapping[str, str]) -> None:
        """Write the footer with these key-value pairs and the hash; the sink stays open."""
        self._writer.add_key_value_metadata({**footer, **self._digesting.seal()})
        self._writer.close()

    def close(self) -> None:
        """Let go of the file, sealed or not."""
        self._writer.close()


def write_table(
    sink: BinaryIO, stream: Stream, table: pa.Table, footer: Mapping[str, str], compression: Compression
) -> None:
    """Write a table as one file to `sink`; the footer gets these key-value pairs and the row groups' hash."""
    writer = PartWriter(sink, stream, compression)
    try:
        writer.write(table)
        writer.seal(footer)
    finally:
        writer.close()


def check_file(path: Path, rows: int, schema: pa.Schema) -> None:
    """Read the footer back; raise BrokenInvariant if these are not the rows that were written."""
    try:
        metadata = pq.read_metadata(path)
    except pa.ArrowInvalid as error:
        raise BrokenInvariant(
            f"{path} was written and does not read back: check this disk and memory"
        ) from error
    if metadata.num_rows != rows or not metadata.schema.to_arrow_schema().equals(schema):
        raise BrokenInvariant(
            f"{path} reads back as another part than was written: check this disk and memory"
        )


def check_rows(path: Path) -> None:
    """Read all row groups; raise BrokenInvariant if they are not what was written. Raises OSError.

    Readers do not look at page checksums: what is damaged and still decodes would be copied as if it were
    right.
    """
    footer = read_footer(path)
    digest = hashlib.sha256()
    left = int(footer.get("archive.rows_bytes", "0"))
    with path.open("rb") as file:
        while left:
            block = file.read(min(left, _BLOCK_BYTES))
            if not block:
                break
            digest.update(block)
            left -= len(block)
    if left or digest.hexdigest() != footer.get("archive.rows_sha256"):
        raise BrokenInvariant(
            f"{path} is damaged: its rows are not those that were written; take it out of the archive"
        )


def read_footer(path: Path) -> dict[str, str]:
    """Return the part's `archive.*` key-value metadata.

    Raises OSError, or BrokenInvariant where the file is no Parquet.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise BrokenInvariant(
            f"{path} is no Parquet file: take it out of the archive and look at its disk"
        ) from error
    return {key.decode(): value.decode() for key, value in metadata.items() if key.startswith(b"archive.")}
