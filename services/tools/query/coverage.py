"""The coverage table, which the compactor keeps, and the calendar that is drawn from it.

The table says for each stream and hour how complete it is. An hour without a row was not evaluated yet and
counts as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive import coverage
from services.archive.coverage import CoverageRow, State
from services.archive.parquet import UnreadableFile
from services.archive.paths import hour_start
from services.shared.errors import BadInput, BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.shared.event import Stream
    from services.tools.query.parts import PartFile

HOURS_A_DAY = 24
HOUR_SECONDS = 3600


class CellStyle(NamedTuple):
    """How cells of one kind are drawn."""

    glyph: str
    """Tells the kinds apart without colours."""
    terminal: str
    """Rich's name of the colour."""
    colour: str
    """For pictures."""
    meaning: str


CELL_STYLES: dict[str, CellStyle] = {
    "closed": CellStyle("█", "green", "#2e9e5b", "complete"),
    "partial": CellStyle("▒", "yellow", "#e0a526", "events may be missing"),
    "broken": CellStyle("░", "red", "#d1473f", "half of the hour or more may be missing"),
    "open": CellStyle("·", "cyan", "#5aa9e6", "events are still expected"),
    "empty": CellStyle("○", "bright_black", "#b9c0c7", "no events and no gap"),
    "unknown": CellStyle(" ", "default", "#eceff1", "before the archive, or not evaluated yet"),
}
"""By the state in the table; `broken` are partial hours with a gap of half an hour or more."""

_WORST = ("empty", "closed", "open", "partial", "broken")


class Cell(NamedTuple):
    """One hour of one or several streams."""

    hour: int
    kind: str
    rows: int
    gap_seconds: float

    @property
    def completeness(self) -> float:
        """The share of the hour that no gap covers."""
        return 1 - min(self.gap_seconds / HOUR_SECONDS, 1.0)


class Day(NamedTuple):
    """24 cells."""

    number: int
    """Counted from 1970-01-01."""
    cells: tuple[Cell, ...]


def calendar(rows: Iterable[CoverageRow], hours: range) -> list[Day]:
    """Return the days of these hours; a cell shows the worst state of its rows."""
    cells: dict[int, Cell] = {}
    for row in rows:
        if row.hour in hours:
            mine = Cell(row.hour, kind_of(row), row.rows, row.gap_seconds)
            cells[row.hour] = _worse(cells.get(row.hour), mine)
    first, last = hours.start // HOURS_A_DAY, (hours.stop - 1) // HOURS_A_DAY
    return [Day(number, tuple(_cells(cells, number))) for number in range(first, last + 1)]


def kind_of(row: CoverageRow) -> str:
    """Return the key of `CELL_STYLES` for a row."""
    if row.state is State.PARTIAL and row.gap_seconds >= HOUR_SECONDS / 2:
        return "broken"
    return row.state.value


def last_days(rows: Mapping[tuple[Stream, int], CoverageRow], days: int) -> range:
    """Return the hours of the last days in the table; an empty range for an empty table."""
    known = [hour for _, hour in rows]
    if not known:
        return range(0)
    end = max(known) // HOURS_A_DAY + 1
    first = max(min(known) // HOURS_A_DAY, end - days)
    return range(first * HOURS_A_DAY, end * HOURS_A_DAY)


def _cells(cells: Mapping[int, Cell], number: int) -> Iterable[Cell]:
    for hour in range(number * HOURS_A_DAY, (number + 1) * HOURS_A_DAY):
        yield cells.get(hour, Cell(hour, "unknown", 0, 0.0))


def _worse(one: Cell | None, other: Cell) -> Cell:
    if one is None:
        return other
    kind = max(one.kind, other.kind, key=_WORST.index)
    return Cell(one.hour, kind, one.rows + other.rows, max(one.gap_seconds, other.gap_seconds))


Table = dict[tuple["Stream", int], CoverageRow]
"""Rows by stream and hour."""


def read_coverage(root: Path) -> Table:
    """Return all rows of the coverage table. Raises BrokenInvariant where a file of it cannot be read."""
    try:
        return {(row.stream, row.hour): row for row in coverage.read_coverage(root)}
    except (OSError, BadInput, UnreadableFile) as error:
        raise BrokenInvariant(
            f"the coverage table cannot be read ({error}); delete {root}/coverage and run `archive compact`"
        ) from error


def is_newer(root: Path, part: PartFile) -> bool:
    """Whether a part is newer than the rows of its day, which then do not count it yet."""
    table = root / "coverage" / f"{hour_start(part.hour):year=%Y/month=%m/day=%d}" / "coverage.parquet"
    try:
        return part.path.stat().st_mtime_ns > table.stat().st_mtime_ns
    except FileNotFoundError:
        return True


def is_closed(row: CoverageRow) -> bool:
    """Whether no more events are expected in the hour: it is complete, partial or empty."""
    return row.state is not State.OPEN
