"""COLLECT: write the deletions of some hours to files in scratch, to search other hours with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.duckdb import engine
from services.archive.parquet import open_part
from services.archive.paths import hour_directory
from services.compactor.deletions import state
from services.compactor.deletions.state import ACCOUNT_STREAMS, RECORD_STREAMS
from services.compactor.job import READ
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.compactor.job import MergeLimits
    from services.compactor.settings import Policy

Hours = dict[Stream, dict[int, str]]
"""By stream and hour, the digest of the hour's chunks (`state.digest_of_chunks`)."""
Drop = dict[Stream, dict[str, str]]
"""By stream, the conditions for a `Job`."""


class PassScope(NamedTuple):
    """The hours of a pass, and those of the last complete one."""

    hours: Hours
    known: Mapping[str, Mapping[int, str]]


def collect_deletions(
    root: Path, work_dir: Path, scope: PassScope, policy: Policy, limits: MergeLimits
) -> Drop:
    """Write the deletions that may not be applied everywhere to `work_dir`; return what each stream drops.

    Raises OSError, and as `engine` does.
    """
    hours = scope.hours
    changed = {
        stream: state.changed_hours(hours[stream], scope.known.get(stream, {})) for stream in ACCOUNT_STREAMS
    }
    drop: Drop = {}
    for stream in RECORD_STREAMS if state.applies_to_records(policy) else ():
        of_hours = state.hours_to_collect(hours[stream], changed[stream])
        path = work_dir / f"{stream}.parquet"
        if _write(_files(root, stream, of_hours), state.RECORDS_QUERY, path, limits):
            drop.setdefault(stream, {})["records"] = state.record_condition(path)
    if state.applies_to_accounts(policy) and any(changed.values()):
        path = work_dir / "deleted_accounts.parquet"
        files = _files(root, Stream.ACCOUNTS, hours[Stream.ACCOUNTS])
        if _write(files, state.ACCOUNTS_QUERY, path, limits):
            for stream in ACCOUNT_STREAMS:
                if changed[stream] or changed[Stream.ACCOUNTS]:
                    drop.setdefault(stream, {})["accounts"] = state.account_condition(path, stream)
    return drop


def _files(root: Path, stream: Stream, hours: Iterable[int]) -> list[str]:
    directories = (hour_directory(root, stream, hour) for hour in hours)
    return [str(path) for directory in directories for path in sorted(directory.iterdir())]


def _write(files: list[str], query: str, into: Path, limits: MergeLimits) -> int:
    """Write the result of a query over the files; return its number of rows."""
    if not files:
        return 0
    with engine(into.parent, limits.memory_mb, f"collect deletions into {into}") as database:
        database.sql(f"SELECT {query.format(read=READ)}", params=[files]).write_parquet(str(into))
    with open_part(into) as written:
        return written.rows
