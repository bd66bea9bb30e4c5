"""Every COMPACT_* name, its default and its limits."""

from __future__ import annotations

from pydantic import Field

from services.shared.settings import Settings


class CompactorSettings(Settings):
    """What the compactor reads from its environment."""

    compact_after_minutes: float = Field(
        default=15.0,
        ge=0,
        le=1440,
        description="An hour closes so long after every stream has passed its end.",
    )
    compact_every: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Seconds between looks for closed hours; each renews `coverage`.",
    )
    compact_neighbours: int = Field(
        default=1,
        ge=0,
        le=48,
        description="Hours before each that are searched for its events; more after another host or epoch.",
    )
    compact_file_mb: int = Field(
        default=256,
        ge=1,
        le=4096,
        description="An hour's file is ended at about so many MB, and another begun.",
    )
    compact_memory_mb: int = Field(
        default=384,
        ge=0,
        description="Most MB for sorting; more goes through the archive's disk. 0: nothing is merged.",
    )
    compact_compression_level: int = Field(
        default=3, ge=1, le=22, description="Level of zstd in compacted files."
    )
    compact_trash_hours: float = Field(
        default=24.0, ge=0, description="How long replaced files are kept in `.trash`, in hours."
    )
    compact_port: int = Field(default=9104, ge=0, le=65535, description="Port of /metrics and /healthz.")
