"""Where rows of an account lie: in the datasets, in the trash, in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import duckdb

from services.archive.paths import TRASH, hour_of
from services.shared.errors import BrokenInvariant, Transient
from services.tools.part_names import find
from services.tools.views import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from services.shared.event import Stream

FILES_AT_ONCE = 200


class Held(NamedTuple):
    """A file that has rows of the account."""

    stream: Stream
    hour: int
    path: Path
    rows: int


def in_datasets(root: Path, wanted: Mapping[Stream, str], memory_mb: int) -> list[Held]:
    """Return the files of the datasets that have such rows. Raises Transient when one was just replaced."""
    found = []
    for stream, condition in wanted.items():
        files = [part.path for part in find(root, (stream,)).parts]
        for path, rows in _counts(root, files, condition, memory_mb):
            hour = hour_of(path.parent)
            if hour is None:
                raise BrokenInvariant(f"{path} lies in no hour; run: archive verify")
            found.append(Held(stream, hour, path, rows))
    return found


def in_trash(root: Path, wanted: Mapping[Stream, str], memory_mb: int) -> dict[Path, int]:
    """Return the folders of the trash that have such rows, and how many."""
    found: dict[Path, int] = {}
    for stream, condition in wanted.items():
        files = sorted((root / TRASH / stream).glob("*/*.parquet"))
        for path, rows in _counts(root, files, condition, memory_mb):
            found[path.parent] = found.get(path.parent, 0) + rows
    return found


def _counts(root: Path, files: list[Path], condition: str, memory_mb: int) -> Iterator[tuple[Path, int]]:
    by_name = {str(path): path for path in files}
    with duckdb.connect(config={"memory_limit": f"{memory_mb}MB", "threads": 1}) as database:
        for start in range(0, len(files), FILES_AT_ONCE):
            yield from (
                (by_name[name], rows)
                for name, rows in _ask(database, root, files[start : start + FILES_AT_ONCE], condition)
            )


def _ask(
    database: duckdb.DuckDBPyConnection, root: Path, files: Iterable[Path], condition: str
) -> list[tuple[str, int]]:
    listed = ", ".join(literal(str(path)) for path in files)
    read = f"read_parquet([{listed}], filename = true, union_by_name = true, hive_partitioning = false)"
    query = f"SELECT filename, count(*) FROM {read} WHERE {condition} GROUP BY 1 ORDER BY 1"  # noqa: S608 - quoted paths, our own condition
    try:
        return database.execute(query).fetchall()
    except duckdb.IOException as error:
        raise Transient(f"a file of {root} was replaced meanwhile: {error}") from error
    except duckdb.Error as error:
        raise BrokenInvariant(f"{root} cannot be searched: {error}; run: archive verify") from error
