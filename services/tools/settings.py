"""Every TOOLS_* name, its default and its limits."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at runtime
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from services.archive.paths import refuse_old_layout
from services.shared.settings import Settings, SettingsError, load


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

    tools_segments_url: str = Field(
        default="https://jetstream.us-east.bsky.network",
        description="Jetstream v2 host whose archive of segments `archive repair` reads older events from.",
    )
    tools_segments_token_file: Path | None = Field(
        default=None,
        description="File with the API token for that archive, from https://bsky.network/account; "
        "empty or none: it is not read.",
    )

    @field_validator("tools_segments_url")
    @classmethod
    def _is_private(cls, url: str) -> str:
        if not is_private(url):
            raise ValueError("write it as https://HOST; the token could be read on the way otherwise")
        return url

    @field_validator("tools_metrics_url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("write it as http://HOST:PORT/metrics")
        return url

    def segments_token(self) -> str:
        """Return the token; empty where there is none. Raises SettingsError."""
        if self.tools_segments_token_file is None:
            return ""
        try:
            token = self.tools_segments_token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"TOOLS_SEGMENTS_TOKEN_FILE: {error}; give the right path") from error
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(
                f"TOOLS_SEGMENTS_TOKEN_FILE: {self.tools_segments_token_file} must hold the token and no more"
            )
        return token

    @property
    def root(self) -> Path:
        """The archive's folder, absolute; raises SettingsError where there is none."""
        if not self.archive_root.is_dir():
            raise SettingsError(
                f"ARCHIVE_ROOT: {self.archive_root} is no folder; set it to where the archive lies"
            )
        refuse_old_layout(self.archive_root)
        return self.archive_root.resolve()


def settings() -> ToolsSettings:
    """Read the environment; raises SettingsError with the mend."""
    return load(ToolsSettings, "TOOLS_")


def is_private(address: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this machine itself. Pure."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        here = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and here
