"""Reads the coverage table, which the compactor keeps: what became of each hour of each stream.

An hour without a row has not been judged yet: it counts as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

STATES = ("closed", "partial", "open", "empty")


class Covered(NamedTuple):
    """One hour of one stream."""

    hour: int
    stream: Stream
    state: str
    rows: int
    first_us: int | None
    last_us: int | None
    gap_seconds: float
    duplicates_removed: int
    rejects: int
    parts: int
    bytes: int

    @property
    def is_settled(self) -> bool:
        """Whether no more events are expected in it; a `partial` one has a gap."""
        return self.state in ("closed", "partial", "empty")


def read_coverage(root: Path) -> dict[tuple[Stream, int], Covered]:
    """Return every row there is, by stream and hour; empty where nothing was compacted yet.

    Raises BrokenInvariant where a file of it cannot be read.
    """
    found: dict[tuple[Stream, int], Covered] = {}
    for path in sorted((root / "coverage").glob("year=*/month=*/day=*/coverage.parquet")):
        try:
            rows = pq.read_table(path, partitioning=None).to_pylist()
        except FileNotFoundError:
            continue
        except (OSError, pa.ArrowInvalid) as error:
            raise BrokenInvariant(
                f"{path} cannot be read ({error}); delete it and run `archive compact`"
            ) from error
        for row in rows:
            hour = int(row["hour"].timestamp()) // 3600
            stream = Stream(row["stream"])
            figures = {name: row[name] for name in Covered._fields if name not in ("hour", "stream")}
            found[stream, hour] = Covered(hour=hour, stream=stream, **figures)
    return found
