"""The coverage table, which the compactor keeps: what became of each hour of each stream.

An hour without a row has not been judged yet: it counts as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from services.compactor import coverage
from services.compactor.cover import Covered, State
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.event import Stream

Table = dict[tuple["Stream", int], Covered]
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


def is_settled(row: Covered) -> bool:
    """Whether no more events are expected in the hour; a partial one has a gap."""
    return row.state is not State.OPEN
