"""Writes the archive's Parquet files, and opens them: `open_part` reports every kind of damage as one error.

Any engine can read the files: plain Parquet 2 types, no extension types, no partition column inside the file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive.footer import FooterError
from services.archive.schema import ROWS_PER_ROW_GROUP, SCHEMAS, Codec, column_encodings, schema_difference
from services.shared.errors import BadInput, BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from services.archive.schema import Compression
    from services.shared.event import Stream


class ReadHints(NamedTuple):
    """Metadata by which readers skip row groups and pages."""

    sorted_by: tuple[str, ...] = ()
    """Columns by which all rows are sorted, ascending."""
    distinct: Mapping[str, int] = MappingProxyType({})
    """Columns that get a Bloom filter, with their approximate number of values in a row group."""


NO_HINTS = ReadHints()

_BLOOM_FALSE_POSITIVES = 0.01
_BLOCK_BYTES = 1024 * 1024
_PAGE_BYTES = 8 * 1024 * 1024
_DICTIONARY_BYTES = 64 * 1024 * 1024
_WITH_LEVELS = (Codec.ZSTD, Codec.GZIP)


class _Digesting:
    """A sink that computes the SHA-256 of everything written to it."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False
        self.is_discarding = False

    def write(self, block: bytes) -> int:
        if self.is_discarding:
            return len(block)
        self._digest.update(block)
        self.bytes += len(block)
        return self._sink.write(block)

    def flush(self) -> None:
        if not self.is_discarding:
            self._sink.flush()

    def seal(self) -> dict[str, str]:
        """Return the footer's values for the bytes written so far."""
        return {"archive.rows_sha256": self._digest.hexdigest(), "archive.rows_bytes": str(self.bytes)}


class PartWriter:
    """Writes one file of a stream's rows, a table at a time; `seal` ends it with its footer.

    `archive.rows_sha256` in the footer is the hash of the first `archive.rows_bytes` bytes: the magic number
    and all row groups, thus every page of every row. A context manager that closes the writer, never the
    sink. Raises OSError as the sink does.
    """

    def __init__(
        self, sink: BinaryIO, stream: Stream, compression: Compression, hints: ReadHints = NO_HINTS
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
            # A page spans its row group: compression finds repeats only within a page, and a dictionary
            # that is abandoned half-way is worse than none.
            data_page_size=_PAGE_BYTES,
            max_rows_per_page=ROWS_PER_ROW_GROUP,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            write_page_index=True,
            write_page_checksum=True,
            sorting_columns=[pq.SortingColumn(schema.get_field_index(name)) for name in hints.sorted_by]
            or None,
            bloom_filter_options={
                name: {"ndv": max(1, values), "fpp": _BLOOM_FALSE_POSITIVES}
                for name, values in hints.distinct.items()
            }
            or None,
        )

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Discard the file unless it is sealed."""
        self.discard()

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

    def discard(self) -> None:
        """Close the writer without writing to the sink; the file stays incomplete. No effect after `seal`."""
        self._digesting.is_discarding = True
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()


def write_table(
    sink: BinaryIO, stream: Stream, table: pa.Table, footer: Mapping[str, str], compression: Compression
) -> None:
    """Write a table as one file to `sink`; the footer gets these key-value pairs and the row groups' hash."""
    with PartWriter(sink, stream, compression) as writer:
        writer.write(table)
        writer.seal(footer)


class DamagedFile(BadInput):
    """A file of the archive that cannot be used. Skip it: only its own hour is affected."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} is not a valid file of the archive ({what}): "
            "take it out (`archive verify --quarantine`) and check its disk"
        )
        self.path = path
        self.what = what


class UnreadableFile(Transient):
    """A file of the archive that cannot be read: no permission, or an I/O error. It may be undamaged."""

    def __init__(self, path: Path, error: OSError) -> None:
        remedy = f"let user {os.getuid()} read it" if isinstance(error, PermissionError) else "check its disk"
        super().__init__(f"{path} cannot be read ({error.strerror or error}): {remedy}")
        self.path = path


class OpenPart:
    """An open Parquet file of the archive. Every method that reads raises as `open_part` does.

    Does not expose the statistics in the footer: pyarrow ends the process over some that are damaged.
    """

    def __init__(self, path: Path, source: pa.NativeFile) -> None:
        self.path = path
        self._source = source
        with _damage_of(path):
            self.bytes: int = source.size()
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
            metadata = self._file.metadata
            self.rows: int = metadata.num_rows
            self.row_groups: int = metadata.num_row_groups
            self.schema: pa.Schema = self._file.schema_arrow
            self.footer = {
                key.decode(): value.decode()
                for key, value in (metadata.metadata or {}).items()
                if key.startswith(b"archive.")
            }

    @property
    def sorted_by(self) -> tuple[str, ...]:
        """Columns by which the rows are sorted, as the first row group declares; none without a row group."""
        with _damage_of(self.path):
            if not self.row_groups:
                return ()
            columns = self._file.metadata.row_group(0).sorting_columns
            return tuple(self.schema.names[one.column_index] for one in columns)

    def rows_sha256(self, progress: Callable[[int], None] = lambda _count: None) -> str:
        """Return the SHA-256 of all row groups; `progress` is called with the bytes read."""
        digest, at = hashlib.sha256(), 0
        with _damage_of(self.path):
            end = int(self.footer.get("archive.rows_bytes", "0"))
            while at < end and (block := self._source.read_at(min(_BLOCK_BYTES, end - at), at)):
                digest.update(block)
                at += len(block)
                progress(len(block))
        return digest.hexdigest()

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read all rows, of these columns or of all, and verify the pages' checksums."""
        with _damage_of(self.path):
            return self._file.read(columns=columns)

    def read_row_group(self, index: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one row group, as `read` does."""
        with _damage_of(self.path):
            return self._file.read_row_group(index, columns=columns)


@contextlib.contextmanager
def open_part(path: Path, stream: Stream | None = None) -> Iterator[OpenPart]:
    """Open a Parquet file of the archive; with `stream`, also check that it is a part of that stream.

    Raises FileNotFoundError when the file is gone, UnreadableFile without permission or on an I/O error, and
    DamagedFile for everything else: not a regular file, a link to nothing, empty, truncated, no valid footer,
    another stream, other columns than the stream's, and a FooterError inside the block.
    """
    with _opened(path) as source:
        part = OpenPart(path, source)
        if stream is not None:
            _check_stream(part, stream)
        try:
            yield part
        except FooterError as error:
            raise DamagedFile(path, error.reason) from error


def read_footer(path: Path) -> dict[str, str]:
    """Return a file's `archive.*` key-value metadata. Raises as `open_part` does."""
    with open_part(path) as part:
        return part.footer


def check_file(path: Path, rows: int, schema: pa.Schema) -> None:
    """Read a file's footer back; raise BrokenInvariant unless it has these rows and columns."""
    try:
        with open_part(path) as part:
            is_the_same = part.rows == rows and part.schema.equals(schema)
    except DamagedFile as error:
        raise BrokenInvariant(
            f"{path} was written and does not read back ({error.what}): check this disk and memory"
        ) from error
    if not is_the_same:
        raise BrokenInvariant(
            f"{path} reads back as another part than was written: check this disk and memory"
        )


def check_rows(path: Path) -> None:
    """Compare all row groups with the hash in the footer. Raises as `open_part` does.

    Readers do not verify page checksums: a damaged page that still decodes would be copied as if it were
    whole.
    """
    with open_part(path) as part:
        if part.rows_sha256() != part.footer.get("archive.rows_sha256"):
            raise DamagedFile(path, "its rows are not those that were written")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pa.NativeFile]:
    """Open a regular file. Nothing else: opening a FIFO blocks until another process writes to it.

    A file of Arrow, not of Python. Arrow's threads may release it after a read has returned; a release that
    takes Python's lock while the interpreter ends aborts the process.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DamagedFile(path, "not a regular file")
        source = pa.OSFile(str(path))
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DamagedFile(path, "a link to nothing") from error
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DamagedFile(path, "a link to itself") from error
        raise UnreadableFile(path, error) from error
    with source:
        yield source


@contextlib.contextmanager
def _damage_of(path: Path) -> Iterator[None]:
    """Translate what pyarrow raises for a damaged file: ArrowException, OSError without errno, ValueError."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise UnreadableFile(path, error) from error
        raise DamagedFile(path, _first_line(error)) from error
    except (pa.ArrowException, ValueError, LookupError) as error:
        raise DamagedFile(path, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check_stream(part: OpenPart, stream: Stream) -> None:
    if part.footer.get("archive.stream") != stream:
        raise DamagedFile(part.path, f"its footer does not say that it is a part of {stream}")
    with _damage_of(part.path):
        version = int(part.footer.get("archive.schema_version", "0"))
    if difference := schema_difference(stream, part.schema, version):
        raise DamagedFile(part.path, difference)
