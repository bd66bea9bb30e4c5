"""Every TOOLS_* name, its default and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from services.shared.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


class ToolsSettings(Settings):
    """What the `archive` command reads from its environment."""

    tools_metrics_url: str = Field(
        default="http://127.0.0.1:9102/metrics",
        description="Where `archive` finds the writer's metrics; it works without them too.",
    )
    tools_memory_mb: int = Field(
        default=512,
        ge=64,
        description="Memory that a query of `archive` may take; beyond it the disk is used.",
    )

    @field_validator("tools_metrics_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("write it as http://HOST:PORT/metrics")
        return url

    @property
    def root(self) -> Path:
        """The archive's folder, absolute; raises SettingsError where there is none."""
        if not self.archive_root.is_dir():
            raise SettingsError(
                f"ARCHIVE_ROOT: {self.archive_root} is no folder; set it to where the archive lies"
            )
        return self.archive_root.resolve()


def settings() -> ToolsSettings:
    """Read the environment; raises SettingsError with the mend."""
    return load(ToolsSettings, "TOOLS_")
