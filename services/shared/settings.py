"""Settings from environment variables: parsed once, immutable; unknown names and placeholders are refused.

A field's name in capitals is its environment variable; README's table shows its description.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PLACEHOLDERS = frozenset(
    {"changeme", "change-me", "change_me", "changethis", "placeholder", "password", "secret", "xxx"}
)


class SettingsError(Exception):
    """Invalid settings; the message has one line for each, with the variable and the remedy."""


def _split(value: Any) -> Any:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list."""


class Settings(BaseSettings):
    """Settings of every daemon."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey server, with this daemon's own ACL user: redis://USER:PASSWORD@HOST:PORT/0.",
    )
    redis_password_file: Path | None = Field(
        default=None,
        description="File that holds the password of REDIS_URL's user; wins over one in the URL.",
    )
    archive_root: Path = Field(
        default=Path("./data"), description="Folder of the archive; one dataset a stream below it."
    )
    archive_look_back_hours: float = Field(
        default=24.0, gt=0, le=24 * 30, description="How long the Jetstream hosts keep events, in hours."
    )
    archive_log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="debug (every chunk), info (every batch), warning (retries, backpressure) or error.",
    )
    archive_start: int | None = Field(
        default=None,
        ge=10**15,
        description="Where a new archive begins, in Unix microseconds; default one minute before now.",
    )
    archive_retention_days: float | None = Field(
        default=None,
        ge=1,
        description="Hours older than so many days are removed from this machine; default: kept for ever.",
    )
    archive_object_store: str = Field(
        default="",
        pattern=r"^(s3://[A-Za-z0-9.\-_]+(/.*)?)?$",
        description="Bucket for `archive offload`: s3://BUCKET or s3://BUCKET/PREFIX.",
    )
    archive_object_endpoint: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="Address of the S3-compatible server that holds the bucket; empty: AWS.",
    )
    archive_object_region: str = Field(default="us-east-1", description="Region of the bucket.")
    archive_object_key_file: Path | None = Field(
        default=None, description="File with two lines: the bucket's access key and its secret."
    )
    archive_disk_free_min_mb: int = Field(
        default=1024, ge=0, description="Pause when a watched disk has fewer free MB than this."
    )

    @model_validator(mode="after")
    def _refuse_placeholders(self) -> Self:
        parts = urlsplit(self.redis_url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or _port(parts) is None:
            raise ValueError(
                "REDIS_URL: write it as redis://USER:PASSWORD@HOST:PORT/0, or rediss:// with TLS"
            )
        password = parts.password
        if self.redis_password_file is not None:
            try:
                password = self.redis_password_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(
                    f"REDIS_PASSWORD_FILE: {error}; run `make secrets`, or give the right path"
                ) from error
        if password is not None and password.lower() in PLACEHOLDERS:
            raise ValueError(
                "REDIS_URL: the password is a placeholder; run `make secrets` and use what it wrote"
            )
        return self

    def redis_address(self) -> str:
        """Return REDIS_URL with the password of the file, if there is one."""
        if self.redis_password_file is None:
            return self.redis_url
        parts = urlsplit(self.redis_url)
        password = quote(self.redis_password_file.read_text(encoding="utf-8").strip(), safe="")
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '')}:{password}@{host}"))


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port if parts.port is not None else 0
    except ValueError:
        return None


Kind = TypeVar("Kind", bound=Settings)


def load(kind: type[Kind], prefix: str) -> Kind:
    """Parse the environment into `kind`; `prefix` is the daemon's own, for example `INGEST_`.

    Raises SettingsError for invalid values and for unknown names with a known prefix: pydantic-settings
    ignores those, and a misspelled setting would have no effect.
    """
    unknown = [_unknown(name, kind) for name in sorted(os.environ) if _is_unknown(name, kind, prefix)]
    if unknown:
        raise SettingsError("\n".join(unknown))
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError("\n".join(_line(one) for one in error.errors())) from error


def _is_unknown(name: str, kind: type[Settings], prefix: str) -> bool:
    return name.startswith((prefix, "ARCHIVE_")) and name.lower() not in kind.model_fields


def _unknown(name: str, kind: type[Settings]) -> str:
    near = difflib.get_close_matches(name.lower(), kind.model_fields, n=1)
    hint = f"; did you mean {near[0].upper()}?" if near else "; README's table lists every setting"
    return f"{name}: no such setting{hint}"


def _line(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]).upper()
    given = "" if isinstance(error.get("input"), dict | Settings) else f" (given: {error['input']!r})"
    return f"{name}: {error['msg']}{given}".removeprefix(": ")
