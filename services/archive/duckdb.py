"""DuckDB with bounded memory, for one piece of work; and what its errors mean for that."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import duckdb

from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def engine(scratch: Path, memory_mb: int, work: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database that sorts in `scratch` what does not fit.

    Transient: a file was replaced meanwhile, or there is no room; `work` is to be done again from the start.
    BrokenInvariant: a file is damaged.
    """
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": str(scratch),
                # One thread each holds its own buffers; and the writer is to have the processor.
                "threads": 1,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        ) as database:
            database.execute("SET TimeZone = 'UTC'")
            yield database
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise Transient(f"cannot {work} now: {error}") from error
    except duckdb.Error as error:
        raise BrokenInvariant(f"cannot {work}: {error}; run `archive verify`") from error
