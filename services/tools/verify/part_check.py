"""Checks one part against its footer, its name and its location.

The hash covers all rows. The footer has no hash: it is compared with the name, the schema and the rows, so
a flipped byte in it is found where it changes one of these.
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
    """All kinds of faults that a check can find."""

    UNREADABLE = "unreadable"
    """Not Parquet, truncated, or without a footer of this archive."""
    NO_ACCESS = "no_access"
    """It may not be read, or its disk reports an I/O error: it may be undamaged, and stays where it is."""
    ALTERED = "altered"
    """Its rows are not the bytes that were written."""
    WRONG_ROWS = "wrong_rows"
    """The number of rows differs from footer or name."""
    WRONG_PLACE = "wrong_place"
    """It belongs to another stream or hour."""
    WRONG_NAME = "wrong_name"
    """Its rows have other times, or are of another chunk, than its name says."""
    WRONG_SCHEMA = "wrong_schema"
    """Its columns are not those of the stream."""
    UNSORTED = "unsorted"
    """Its rows are not in the order that its footer declares."""
    UNKNOWN_FILE = "unknown_file"
    """A file below a stream's folder that is not a part."""
    MISSING = "missing"
    """A part of a chunk or of a closed hour is missing."""
    DUPLICATE = "duplicate"
    """An event is stored twice."""
    UNACCOUNTED = "unaccounted"
    """The writer's ledger is not at 0."""


DAMAGE = frozenset(set(Fault) - {Fault.NO_ACCESS, Fault.MISSING, Fault.DUPLICATE, Fault.UNACCOUNTED})
"""Faults of one file that end when it is moved away."""


class Finding(NamedTuple):
    """One fault."""

    fault: Fault
    where: str
    """The file, relative to the root; the stream and hour where the fault is not in one file."""
    what: str


@dataclass(slots=True)
class CheckedPart:
    """Result of the check of a part."""

    part: PartFile
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    number: int = 0
    """Its number among the `of` parts of its chunk; 0 for a compacted or unreadable file."""
    of: int = 0
    footer: dict[str, str] = field(default_factory=dict)


def check_part(root: Path, part: PartFile, read: Callable[[int], None]) -> CheckedPart:
    """Check a part; `read` is called with the number of bytes after each block.

    Raises FileNotFoundError where the part was removed meanwhile.
    """
    checked = CheckedPart(part, bytes=part.path.lstat().st_size)
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


def _by_footer(part: PartFile, file: OpenPart, checked: CheckedPart) -> Iterator[_Found]:
    footer, name, rows = checked.footer, part.name, file.rows
    if footer["archive.stream"] != part.stream:
        yield Fault.WRONG_PLACE, f"its footer says stream {footer['archive.stream']}"
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
            yield Fault.WRONG_NAME, f"its footer says chunk {footer['archive.chunk_id']}"
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
    # The name of a chunk's part has the times of the whole chunk, without rejects that have no time.
    exact = name.is_compacted and (first, last) != (name.first_us, name.last_us)
    if exact or (part.stream is not Stream.REJECTS and not name.first_us <= first <= last <= name.last_us):
        yield Fault.WRONG_NAME, f"its rows have times from {first} to {last}"
    order = file.sorted_by
    if order and not is_sorted(file.read(order).select(order)):
        yield Fault.UNSORTED, f"its rows are not in the order of {', '.join(order)}"


def _read_all(file: OpenPart) -> None:
    """Read every value, one column of one row group at a time. Raises as `open_part` does."""
    for group in range(file.row_groups):
        for name in file.schema.names:
            file.read_row_group(group, [name])


def is_sorted(table: pa.Table) -> bool:
    """Whether the rows are in ascending order of the columns from left to right; null sorts last. Pure."""
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
