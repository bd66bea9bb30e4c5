"""GATHER: what was deleted in some hours, in files to search by; they lie in the compactor's own staging."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.duckdb import engine
from services.archive.parquet import open_part
from services.archive.paths import hour_directory
from services.compactor import deletions
from services.compactor.deletions import OF_ACCOUNTS, OF_RECORDS
from services.compactor.job import READ
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.compactor.job import MergeLimits
    from services.compactor.settings import Policy

Hours = dict[Stream, dict[int, str]]
"""By stream and hour what stands for the chunks in it (`deletions.held`)."""
Drop = dict[Stream, dict[str, str]]
"""By stream the conditions for a `Job`."""


class Extent(NamedTuple):
    """What a pass is of."""

    hours: Hours
    known: Mapping[str, Mapping[int, str]]
    """As the last pass left them."""


def gather(root: Path, bench: Path, extent: Extent, policy: Policy, bounds: MergeLimits) -> Drop:
    """Gather in `bench` what may not be applied everywhere; returns what is to be dropped of which streams.

    Raises OSError, and as `engine` does.
    """
    hours = extent.hours
    fresh = {stream: deletions.fresh(hours[stream], extent.known.get(stream, {})) for stream in OF_ACCOUNTS}
    drop: Drop = {}
    for stream in OF_RECORDS if deletions.wants_records(policy) else ():
        since = deletions.gathered_from(hours[stream], fresh[stream])
        path = bench / f"{stream}.parquet"
        if _write(_files(root, stream, since), deletions.RECORDS_QUERY, path, bounds):
            drop.setdefault(stream, {})["records"] = deletions.of_records(path)
    if deletions.wants_accounts(policy) and any(fresh.values()):
        path = bench / "gone.parquet"
        files = _files(root, Stream.ACCOUNTS, hours[Stream.ACCOUNTS])
        if _write(files, deletions.ACCOUNTS_QUERY, path, bounds):
            for stream in OF_ACCOUNTS:
                if fresh[stream] or fresh[Stream.ACCOUNTS]:
                    drop.setdefault(stream, {})["accounts"] = deletions.of_accounts(path, stream)
    return drop


def _files(root: Path, stream: Stream, hours: Iterable[int]) -> list[str]:
    directories = (hour_directory(root, stream, hour) for hour in hours)
    return [str(path) for directory in directories for path in sorted(directory.iterdir())]


def _write(files: list[str], query: str, into: Path, bounds: MergeLimits) -> int:
    """Write what a query, with a place for the files, finds; returns the rows."""
    if not files:
        return 0
    with engine(into.parent, bounds.memory_mb, f"gather deletions for {into}") as database:
        database.sql(f"SELECT {query.format(read=READ)}", params=[files]).write_parquet(str(into))
    with open_part(into) as written:
        return written.rows
