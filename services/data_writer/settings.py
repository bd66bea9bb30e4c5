"""The settings WRITER_*: names, defaults and limits."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from services.shared.event import Stream
from services.shared.settings import Names, Settings


class WriterSettings(Settings):
    """The settings that the writer reads from its environment."""

    writer_streams: Names = Field(
        default=tuple(Stream),
        min_length=1,
        description="Streams this writer owns; split them to run several.",
    )
    writer_interval: float = Field(
        default=300.0, gt=0, le=3600, description="Seconds between rounds: each claims every stream."
    )
    writer_max_rows: int = Field(
        default=150_000, ge=1, description="Claim a stream earlier when so many of its events are waiting."
    )
    writer_max_age: float = Field(
        default=300.0,
        gt=0,
        le=3600,
        description="Claim a stream earlier when events wait longer, in seconds.",
    )
    writer_chunk: int = Field(
        default=100_000,
        ge=100,
        le=500_000,
        description="Most events in one part; bounds the writer's memory.",
    )
    writer_compression: str = Field(
        default="zstd", pattern="^(zstd|snappy|gzip|lz4|none)$", description="Codec of the Parquet files."
    )
    writer_compression_level: int | None = Field(
        default=None, ge=1, le=22, description="Level of zstd (default 3) or gzip (default 6)."
    )
    writer_port: int = Field(default=9102, ge=0, le=65535, description="Port of /metrics and /healthz.")

    @field_validator("writer_streams")
    @classmethod
    def _known_streams(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if name not in tuple(Stream)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no stream; there are {', '.join(Stream)}")
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _level_fits(self) -> Self:
        if self.writer_compression_level is not None and self.writer_compression not in ("zstd", "gzip"):
            raise ValueError(f"WRITER_COMPRESSION_LEVEL: {self.writer_compression} has no levels")
        if self.writer_compression == "gzip" and (self.writer_compression_level or 1) > 9:  # noqa: PLR2004
            raise ValueError("WRITER_COMPRESSION_LEVEL: gzip's levels are 1 to 9")
        return self

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The owned streams, in the order of `Stream`."""
        return tuple(stream for stream in Stream if stream in self.writer_streams)
