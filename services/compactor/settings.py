"""Every COMPACT_* setting, its default and its limits."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from services.shared.settings import Settings


class Policy(StrEnum):
    """Which deletions are applied to archived rows."""

    OFF = "off"
    RECORDS = "records"
    ACCOUNTS = "accounts"
    ALL = "all"


class CompactorSettings(Settings):
    """The compactor's settings, read from its environment."""

    compact_after_minutes: float = Field(
        default=15.0,
        ge=0,
        le=1440,
        description="Minutes after every stream has passed its end that an hour closes.",
    )
    compact_every: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Seconds between rounds; each searches for closed hours and updates `coverage`.",
    )
    compact_neighbours: int = Field(
        default=1,
        ge=0,
        le=48,
        description="Earlier hours that each hour is compared with; more after another host or epoch.",
    )
    compact_file_mb: int = Field(
        default=256,
        ge=1,
        le=4096,
        description="Size in MB at which a compacted file is ended and the next one begun.",
    )
    compact_memory_mb: int = Field(
        default=384,
        ge=0,
        description="Memory for sorting in MB; larger hours spill to the archive's disk. 0: no merges.",
    )
    compact_compression_level: int = Field(
        default=3, ge=1, le=22, description="Level of zstd in compacted files."
    )
    compact_replaced_hours: float = Field(
        default=24.0, ge=0, description="How long replaced files are kept, in hours."
    )
    compact_apply_deletions: Policy = Field(
        default=Policy.OFF,
        description=(
            "off, records, accounts or all: rows older than the deletion of their record, or of their "
            "account, are removed for good."
        ),
    )
    compact_deletions_every_hours: float = Field(
        default=24.0,
        ge=0,
        le=24 * 31,
        description="Hours between passes over all hours that remove what was deleted since the last pass.",
    )
    compact_jetstream_url: str = Field(
        default="http://127.0.0.1:9101/healthz",
        pattern="^https?://",
        description="The ingester's /healthz: while the ingester is paused nothing is merged.",
    )
    compact_port: int = Field(default=9104, ge=0, le=65535, description="Port of /metrics and /healthz.")

    @model_validator(mode="after")
    def _can_apply(self) -> Self:
        if self.compact_apply_deletions is not Policy.OFF and not self.compact_memory_mb:
            raise ValueError(
                "COMPACT_APPLY_DELETIONS: only merged hours can lose rows; give COMPACT_MEMORY_MB more than 0"
            )
        return self
