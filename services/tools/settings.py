"""Settings of the `archive` command: every TOOLS_* variable with its default and its limits."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations at runtime

from pydantic import Field, field_validator

from services.archive.paths import refuse_old_layout
from services.shared.http import is_private
from services.shared.settings import Settings, SettingsError, load


class ToolsSettings(Settings):
    """Environment variables of the `archive` command."""

    tools_metrics_url: str = Field(
        default="http://127.0.0.1:9102/metrics",
        description="URL of the writer's metrics for `archive`; optional.",
    )
    tools_memory_mb: int = Field(
        default=512,
        ge=64,
        description="Memory limit in MB of a query of `archive`; beyond it the disk is used.",
    )

    tools_segments_url: str = Field(
        default="https://jetstream.us-east.bsky.network",
        description="Jetstream v2 host whose archive of segments `archive repair` reads older events from.",
    )
    tools_segments_token_file: Path | None = Field(
        default=None,
        description="File with the API token for that archive, from https://bsky.network/account; "
        "without it the archive of segments is not used.",
    )

    @field_validator("tools_segments_url")
    @classmethod
    def _is_private(cls, url: str) -> str:
        if not is_private(url):
            raise ValueError("write it as https://HOST; over http the token could be intercepted")
        return url

    @field_validator("tools_metrics_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("write it as http://HOST:PORT/metrics")
        return url

    def segments_token(self) -> str:
        """Return the API token; empty where none is configured. Raises SettingsError for an unusable file."""
        if self.tools_segments_token_file is None:
            return ""
        try:
            token = self.tools_segments_token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"TOOLS_SEGMENTS_TOKEN_FILE: {error}; give the right path") from error
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(
                f"TOOLS_SEGMENTS_TOKEN_FILE: {self.tools_segments_token_file} must hold only the token"
            )
        return token

    @property
    def root(self) -> Path:
        """The archive's folder as an absolute path; raises SettingsError where it does not exist."""
        if not self.archive_root.is_dir():
            raise SettingsError(
                f"ARCHIVE_ROOT: {self.archive_root} is no folder; set it to the archive's folder"
            )
        refuse_old_layout(self.archive_root)
        return self.archive_root.resolve()


def settings() -> ToolsSettings:
    """Read the environment. Raises SettingsError, whose text names the remedy."""
    return load(ToolsSettings, "TOOLS_")
