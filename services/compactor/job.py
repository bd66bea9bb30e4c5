"""What is to be merged, and how much that may take."""

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
"""DuckDB's words for the files that are the query's parameter."""


class MergeLimits(NamedTuple):
    """What a merge may take, and how its files are made."""

    memory_mb: int = 384
    file_bytes: int = 256_000_000
    level: int = 3


def merge_limits(settings: CompactorSettings) -> MergeLimits:
    """Return them as they are set."""
    return MergeLimits(
        settings.compact_memory_mb,
        settings.compact_file_mb * 1_000_000,
        settings.compact_compression_level,
    )


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be merged."""

    stream: Stream
    hour: int
    directory: Path
    """Where the hour's files lie."""
    files: tuple[File, ...]
    earlier: tuple[Path, ...]
    """Files of earlier hours: an event that is there goes from here."""
    compared: frozenset[str]
    """Ids of the chunks in them, and of those that the hour was compared with before."""
    drop: Mapping[str, str] = field(default_factory=dict)
    """By reason a condition in SQL over the stream's columns: rows for which one is true are left out too."""

    @property
    def paths(self) -> list[str]:
        """The hour's files, in order."""
        return [str(self.directory / file.name) for file in self.files]

    @property
    def id(self) -> str:
        """A function of all that decides what comes of it."""
        names = [file.name for file in self.files]
        against = sorted(self.compared)
        drop = "".join(self.drop.values())
        return inputs_id(self.stream, str(self.hour), drop, *names, "against", *against)
