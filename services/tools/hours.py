"""Reads the archive hour by hour, as it lies on this machine's disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive.paths import HOUR_US, hour_directory
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.shared.event import Stream
    from services.tools.span import Span


def parts(root: Path, stream: Stream, span: Span) -> Iterator[Path]:
    """Yield the parts of every hour that `span` touches."""
    for hour in range(span.from_us // HOUR_US, -(-span.to_us // HOUR_US)):
        yield from sorted(hour_directory(root, stream, hour).glob("*.parquet"))


def row_groups(root: Path, stream: Stream, span: Span, names: list[str]) -> Iterator[pa.Table]:
    """Yield these columns of every row group of the hours that `span` touches.

    Raises Transient when a part was compacted away meanwhile, BrokenInvariant for a damaged one.
    """
    for path in parts(root, stream, span):
        try:
            with pq.ParquetFile(path) as part:
                for index in range(part.num_row_groups):
                    yield part.read_row_group(index, columns=names)
        except FileNotFoundError as error:
            raise Transient(f"{path} was compacted meanwhile; looking again") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise BrokenInvariant(f"{path} does not read ({error}); run: archive verify") from error
