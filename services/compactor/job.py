"""The input of one merge: files, what they are compared with, which rows are dropped, and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from services.archive.paths import inputs_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.archive.catalog import File
    from services.compactor.settings import CompactorSettings
    from services.shared.event import Stream

READ = "read_parquet(?, hive_partitioning = false, union_by_name = true)"
"""DuckDB's table function over the files that are the query's parameter."""


class MergeLimits(NamedTuple):
    """Memory of a merge, and size and compression of the files that it writes."""

    memory_mb: int = 384
    file_bytes: int = 256_000_000
    level: int = 3


def merge_limits(settings: CompactorSettings) -> MergeLimits:
    """Return the limits that the settings define."""
    return MergeLimits(
        settings.compact_memory_mb,
        settings.compact_file_mb * 1_000_000,
        settings.compact_compression_level,
    )


@dataclass(frozen=True, kw_only=True)
class Job:
    """One hour of one stream to merge."""

    stream: Stream
    hour: int
    directory: Path
    """Directory of the hour's files."""
    files: tuple[File, ...]
    earlier: tuple[Path, ...]
    """Files of earlier hours: an event that is in one of them is removed from this hour."""
    compared: frozenset[str]
    """Ids of the chunks in `earlier`, and of those that the hour was compared with before."""
    drop: Mapping[str, str] = field(default_factory=dict)
    """SQL conditions over the stream's columns, by reason: rows that meet one are removed too."""

    @property
    def paths(self) -> list[str]:
        """The hour's files, in order."""
        return [str(self.directory / file.name) for file in self.files]

    @property
    def id(self) -> str:
        """Deterministic id of the merge inputs."""
        names = [file.name for file in self.files]
        against = sorted(self.compared)
        drop = "".join(self.drop.values())
        return inputs_id(self.stream, str(self.hour), drop, *names, "against", *against)
