"""One part, held against its own footer, its name and its place; what it says of its chunk is handed on.

The hash covers every row as it was written; the footer itself is held against the name, the schema and the
rows, so a byte that flips there is found where it changes what the file says of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from services.archive import footer as footers
from services.archive.parquet import DamagedFile, UnreadableFile, open_part
from services.archive.paths import HOUR_US, hour_text
from services.archive.schema import schema_difference, time_column
from services.shared.errors import BadInput
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.archive.parquet import OpenPart
    from services.tools.query.parts import PartFile


class Fault(StrEnum):
    """What can be wrong with an archive: the whole list."""

    UNREADABLE = "unreadable"
    """Not Parquet, truncated, or without a footer of this archive."""
    NO_ACCESS = "no_access"
    """It may not be read, or its disk reports an I/O error: it may be undamaged, and stays where it is."""
    ALTERED = "altered"
    """Its rows are not the bytes that were written."""
    WRONG_ROWS = "wrong_rows"
    """Other rows than its footer or its name says."""
    WRONG_PLACE = "wrong_place"
    """Another stream's, or another hour's."""
    WRONG_NAME = "wrong_name"
    """Its name says other times, or another chunk, than it holds."""
    WRONG_SCHEMA = "wrong_schema"
    """Its columns are not the stream's."""
    UNSORTED = "unsorted"
    """Its rows are not in the order that its footer says."""
    STRAY = "stray"
    """A file in a dataset that is no part."""
    MISSING = "missing"
    """A part of a chunk, or of a settled hour, is not there."""
    DUPLICATE = "duplicate"
    """An event is there twice."""
    UNACCOUNTED = "unaccounted"
    """The writer's ledger does not come to 0."""


DAMAGE = frozenset(set(Fault) - {Fault.NO_ACCESS, Fault.MISSING, Fault.DUPLICATE, Fault.UNACCOUNTED})
"""Faults of one file that end when it is taken out of the datasets."""


class Finding(NamedTuple):
    """One fault."""

    fault: Fault
    where: str
    """The file, relative to the archive; the hour or stream where it is none of one file."""
    what: str


@dataclass(slots=True)
class Checked:
    """A part that was looked at."""

    part: PartFile
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    number: int = 0
    """Which of its chunk's parts it is, of `of`; 0 where it is compacted or cannot be read."""
    of: int = 0
    footer: dict[str, str] = field(default_factory=dict)


def check_part(root: Path, part: PartFile, read: Callable[[int], None]) -> Checked:
    """Look at one part; `read` is told of the bytes as they are read.

    Raises FileNotFoundError where it was taken away meanwhile.
    """
    checked = Checked(part, bytes=part.path.lstat().st_size)
    where = part.path.relative_to(root).as_posix()
    try:
        with open_part(part.path) as file:
            checked.footer, checked.rows = file.footer, file.rows
            found = list(_by_footer(part, file, checked))
            if file.rows_sha256(read) != checked.footer["archive.rows_sha256"]:
                what = "its rows are not the bytes that were written (archive.rows_sha256)"
                found.insert(0, (Fault.ALTERED, what))
            if not found:
                _read_all(file)
                found = list(_by_rows(part, file))
    except DamagedFile as error:
        found = [(Fault.UNREADABLE, f"it cannot be read: {error.what}")]
    except UnreadableFile as error:
        found = [(Fault.NO_ACCESS, str(error))]
    except (BadInput, LookupError, ValueError) as error:
        # A footer without this archive's keys.
        found = [(Fault.UNREADABLE, f"it cannot be read: {error}".splitlines()[0])]
    checked.findings = [Finding(fault, where, what) for fault, what in found]
    return checked


_Found = tuple[Fault, str]


def _by_footer(part: PartFile, file: OpenPart, checked: Checked) -> Iterator[_Found]:
    footer, name, rows = checked.footer, part.name, file.rows
    if footer["archive.stream"] != part.stream:
        yield Fault.WRONG_PLACE, f"it is of the stream {footer['archive.stream']}"
    if int(footer["archive.rows"]) != rows:
        yield Fault.WRONG_ROWS, f"{rows} rows, and its footer says {footer['archive.rows']}"
    if name.is_compacted != (footers.COMPACTED in footer):
        yield Fault.WRONG_NAME, "its name and its footer disagree about its being compacted"
    if name.is_compacted and footers.rows_in(footers.rows_by_epoch(footer)) != rows:
        yield Fault.WRONG_ROWS, f"{rows} rows, and by epoch {footer[footers.ROWS_BY_EPOCH]}"
    if name.is_compacted and name.rows != rows:
        yield Fault.WRONG_ROWS, f"{rows} rows, and its name says {name.rows}"
    if not name.is_compacted:
        number, _, of = footer["archive.part"].partition("/")
        checked.number, checked.of = int(number), int(of)
        if footer["archive.chunk_id"] != name.id:
            yield Fault.WRONG_NAME, f"it is of the chunk {footer['archive.chunk_id']}"
        if rows > name.rows:
            yield Fault.WRONG_ROWS, f"{rows} rows, and its chunk had {name.rows}"
    if wrong := schema_difference(part.stream, file.schema, int(footer["archive.schema_version"])):
        yield Fault.WRONG_SCHEMA, wrong


def _by_rows(part: PartFile, file: OpenPart) -> Iterator[_Found]:
    column = time_column(part.stream)
    times = file.read([column])[column]
    ends = pc.min_max(times).as_py()
    first, last = ends["min"], ends["max"]
    name = part.name
    if first is None:
        return
    for time_us in dict.fromkeys((first, last)):
        if time_us // HOUR_US != part.hour:
            yield Fault.WRONG_PLACE, f"it has rows of {hour_text(time_us // HOUR_US)}"
    # Of a chunk the name tells the times of all its hours, rejects that have none left out.
    exact = name.is_compacted and (first, last) != (name.first_us, name.last_us)
    if exact or (part.stream is not Stream.REJECTS and not name.first_us <= first <= last <= name.last_us):
        yield Fault.WRONG_NAME, f"its rows are of {first} to {last}"
    order = file.sorted_by
    if order and not is_sorted(file.read(order).select(order)):
        yield Fault.UNSORTED, f"its rows are not in the order of {', '.join(order)}"


def _read_all(file: OpenPart) -> None:
    """Read every value, one column of one row group at a time. Raises as `open_part` does."""
    for group in range(file.row_groups):
        for name in file.schema.names:
            file.read_row_group(group, [name])


def is_sorted(table: pa.Table) -> bool:
    """Whether rows ascend by all columns in turn; null is the greatest value. Pure."""
    if table.num_rows < 2:  # noqa: PLR2004 - one row has no order
        return True
    equal: Any = pa.array([True] * (table.num_rows - 1))
    for column in table.combine_chunks().columns:
        before, after = (
            pa.chunked_array([column.slice(start, len(column) - 1).combine_chunks()]) for start in (0, 1)
        )
        greater = pc.fill_null(pc.greater(before, after), False)
        greater = pc.or_(greater, pc.and_(pc.is_null(before), pc.is_valid(after)))
        if pc.any(pc.and_(equal, greater)).as_py():
            return False
        same = pc.fill_null(pc.equal(before, after), False)
        both_null = pc.and_(pc.is_null(before), pc.is_null(after))
        equal = pc.and_(equal, pc.or_(same, both_null))
    return True
