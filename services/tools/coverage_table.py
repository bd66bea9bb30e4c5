"""The coverage table, which the compactor keeps: what became of each hour of each stream.

An hour without a row has not been judged yet: it counts as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from services.archive.paths import hour_start
from services.compactor import coverage
from services.compactor.cover import CoverageRow, State
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.event import Stream
    from services.tools.part_names import PartFile

Table = dict[tuple["Stream", int], CoverageRow]
"""Rows by stream and hour."""


def read_coverage(root: Path) -> Table:
    """Return every row there is; empty where nothing was judged yet.

    Raises BrokenInvariant where a file of it cannot be read.
    """
    try:
        return {(row.stream, row.hour): row for row in coverage.read(root)}
    except (OSError, pa.ArrowException) as error:
        raise BrokenInvariant(
            f"the coverage table cannot be read ({error}); delete {root}/coverage and run `archive compact`"
        ) from error


def is_newer(root: Path, part: PartFile) -> bool:
    """Whether a part came after its day's rows were written, which then do not know of it yet."""
    table = root / "coverage" / f"{hour_start(part.hour):year=%Y/month=%m/day=%d}" / "coverage.parquet"
    try:
        return part.path.stat().st_mtime_ns > table.stat().st_mtime_ns
    except FileNotFoundError:
        return True


def is_settled(row: CoverageRow) -> bool:
    """Whether no more events are expected in the hour; a partial one has a gap."""
    return row.state is not State.OPEN
