"""Every HEALTH_* name, its default and its limits."""

from __future__ import annotations

from pydantic import Field

from services.shared.settings import Settings


class HealthSettings(Settings):
    """What the health service reads from its environment."""

    health_port: int = Field(
        default=9103, ge=0, le=65535, description="Port of /healthz, and of /healthz/redis and the like."
    )
    health_jetstream_url: str = Field(
        default="http://127.0.0.1:9101/healthz",
        pattern="^https?://",
        description="What the ingester says of itself.",
    )
    health_data_writer_url: str = Field(
        default="http://127.0.0.1:9102/healthz",
        pattern="^https?://",
        description="What the writer says of itself.",
    )
    health_ping_ms: float = Field(
        default=100.0,
        gt=0,
        le=500,
        description="Redis is unhealthy when a PING takes longer, in milliseconds.",
    )
    health_memory_percent: float = Field(
        default=80.0, gt=0, le=100, description="Redis is unhealthy above this share of maxmemory."
    )
