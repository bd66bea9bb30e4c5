"""Every HEALTH_* setting with its default and limits."""

from __future__ import annotations

from pydantic import Field

from services.shared.settings import Settings


class HealthSettings(Settings):
    """Settings of the health service."""

    health_port: int = Field(
        default=9103, ge=0, le=65535, description="Port of /healthz, and of /healthz/redis and the like."
    )
    health_jetstream_url: str = Field(
        default="http://127.0.0.1:9101/healthz",
        pattern="^https?://",
        description="Address of the ingester's health.",
    )
    health_data_writer_url: str = Field(
        default="http://127.0.0.1:9102/healthz",
        pattern="^https?://",
        description="Address of the writer's health.",
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
