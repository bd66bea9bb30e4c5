"""DuckDB databases in memory, with bounded memory and no extensions from the network."""

from __future__ import annotations

import atexit
import contextlib
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from services.archive.parquet import DamagedFile
from services.archive.schema import time_column
from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.shared.event import Stream

_FOOTER_MEMORY_MB = 64


def connect(
    memory_mb: int, spill: Path | None, *, threads: int | None = 1, spill_bytes: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database in memory, in UTC; it sorts in `spill` what exceeds `memory_mb`.

    Without `spill`, a query that needs more memory fails. `threads`: None for all processors; each thread has
    its own buffers. `spill_bytes`: upper bound of what `spill` takes, None for no bound.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": "" if spill is None else str(spill),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads is not None:
        config["threads"] = threads
    if spill_bytes is not None:
        config["max_temp_directory_size"] = f"{spill_bytes}B"
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextlib.contextmanager
def engine(spill: Path | None, memory_mb: int, work: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for one piece of work, and translate its errors; `work` is their text.

    Raises Transient when a file was replaced meanwhile, or there is no space: start the work again.
    Raises BrokenInvariant when a file is damaged.
    """
    try:
        if spill is not None:
            spill.mkdir(parents=True, exist_ok=True)
        with connect(memory_mb, spill) as database:
            yield database
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise Transient(f"cannot {work} now: {error}") from error
    except duckdb.Error as error:
        raise BrokenInvariant(f"cannot {work}: {error}; run `archive verify`") from error


def time_range(path: Path, stream: Stream) -> tuple[int | None, int | None]:
    """Return the least and the greatest time of a part's rows; None where it has no rows.

    Reads the statistics of the footer; pyarrow would end the process over some damaged ones. Raises
    FileNotFoundError when the file is gone, DamagedFile when it cannot be read.
    """
    column = time_column(stream)
    query = f"SELECT min({column}), max({column}) FROM read_parquet($path)"  # noqa: S608 - a name of our own
    try:
        found = _shared_database().execute(query, {"path": str(path)}).fetchone()
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and not path.exists():
            raise FileNotFoundError(f"{path} was replaced") from error
        raise DamagedFile(path, str(error)) from error
    return found or (None, None)


@cache
def _shared_database() -> duckdb.DuckDBPyConnection:
    database = connect(_FOOTER_MEMORY_MB, None)
    # While the interpreter ends its threads could no longer be joined.
    atexit.register(database.close)
    return database
