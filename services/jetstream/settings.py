"""Every INGEST_* setting, with its default and its bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from services.shared.settings import Names, Settings

MAX_COLLECTIONS = 100
MAX_DIDS = 10_000
NSID = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+(\.\*)?")
DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+")
HOST = re.compile(r"(wss?://)?[A-Za-z0-9.\-\[\]:]+/?")
MIB = 1 << 20
SELECTED_DIDS_IDLE_SECONDS = 3600.0


class IngesterSettings(Settings):
    """The ingester's settings."""

    ingest_hosts: Names = Field(
        default=(
            "jetstream.us-east.bsky.network",
            "jetstream.us-west.bsky.network",
            "jetstream2.us-east.bsky.network",
            "jetstream2.us-west.bsky.network",
            "jetstream1.us-east.bsky.network",
            "jetstream1.us-west.bsky.network",
        ),
        min_length=1,
        description="Jetstream hosts in order of preference, comma-separated; ws:// for one without TLS.",
    )
    ingest_collections: Names = Field(
        default=(),
        max_length=MAX_COLLECTIONS,
        description="Collections (or prefix.*) to keep, empty for all; always accounts and identities.",
    )
    ingest_dids: Names = Field(
        default=(), max_length=MAX_DIDS, description="Accounts (DIDs) to keep; empty keeps all."
    )
    ingest_compress: bool = Field(
        default=False,
        description="Receive zstd-compressed frames (about 56 % less traffic); needs INGEST_DICTIONARY.",
    )
    ingest_dictionary: str = Field(
        default="", description="Path or https URL of Jetstream's v1 zstd dictionary; checked by its sha256."
    )
    ingest_rewind_seconds: float = Field(
        default=5.0, ge=5, le=3600, description="Seconds to go back when reconnecting to the same v1 host."
    )
    ingest_host_rewind_seconds: float = Field(
        default=30.0, ge=0, le=3600, description="Seconds to go back when changing the host."
    )
    ingest_idle_seconds: float = Field(
        default=30.0, gt=0, le=600, description="Leave a host that sends no data for so many seconds."
    )
    ingest_max_frame_bytes: int = Field(
        default=32 * MIB,
        ge=MIB,
        description="Largest frame to receive, in bytes; larger ones are skipped and recorded as a gap.",
    )
    ingest_max_event_bytes: int = Field(
        default=8 * MIB,
        ge=1024,
        description="Largest event to accept, in bytes; a larger one becomes a reject.",
    )
    ingest_push_events: int = Field(
        default=5000, ge=1, le=100_000, description="Most events in one push to Redis."
    )
    ingest_push_bytes: int = Field(default=4 * MIB, ge=1024, description="Most bytes in one push to Redis.")
    ingest_dedup_seconds: float = Field(
        default=3900.0,
        ge=60,
        description="Length of the deduplication window, in seconds of event time.",
    )
    ingest_dedup_events: int = Field(
        default=1_000_000,
        ge=10_000,
        description="Most identities in the deduplication window (about 100 MB per million).",
    )
    ingest_pause_percent: float = Field(
        default=75.0, gt=0, lt=80, description="Pause above this share of Redis' maxmemory, in percent."
    )
    ingest_resume_percent: float = Field(
        default=55.0, gt=0, description="Resume below this share, in percent."
    )
    ingest_watch_disks: Names = Field(
        default=(),
        description="Folders whose disks must not fill up: Redis' append-only file and the archive.",
    )
    ingest_port: int = Field(default=9101, ge=0, le=65535, description="Port of /metrics and /healthz.")

    @property
    def idle_seconds(self) -> float:
        """Seconds without data after which a host is left; longer for a few accounts only."""
        return (
            max(self.ingest_idle_seconds, SELECTED_DIDS_IDLE_SECONDS)
            if self.ingest_dids
            else self.ingest_idle_seconds
        )

    @field_validator("ingest_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in hosts if not HOST.fullmatch(host) or not _is_address(host)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not a host name or ws(s)://host:port")
        return tuple(dict.fromkeys(hosts))

    @field_validator("ingest_collections")
    @classmethod
    def _collections(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _each(names, NSID, "a collection such as app.bsky.feed.post or app.bsky.graph.*")

    @field_validator("ingest_dids")
    @classmethod
    def _dids(cls, dids: tuple[str, ...]) -> tuple[str, ...]:
        return _each(dids, DID, "a DID such as did:plc:ewvi7nxzyoun6zhxrhs64oiz")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.ingest_resume_percent >= self.ingest_pause_percent:
            raise ValueError("INGEST_RESUME_PERCENT must be below INGEST_PAUSE_PERCENT")
        if self.ingest_compress and not self.ingest_dictionary:
            raise ValueError(
                "INGEST_COMPRESS needs INGEST_DICTIONARY: a path or https URL of the v1 zstd dictionary"
            )
        missing = [folder for folder in self.ingest_watch_disks if not Path(folder).is_dir()]
        if missing:
            raise ValueError(f"INGEST_WATCH_DISKS: no such folder: {', '.join(missing)}")
        return self


def _is_address(host: str) -> bool:
    try:
        parts = urlsplit(host if "://" in host else f"wss://{host}")
        name = (parts.hostname or "").rstrip(".")
        return bool(name and name.encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _each(values: tuple[str, ...], shape: re.Pattern[str], what: str) -> tuple[str, ...]:
    wrong = [value for value in values if not shape.fullmatch(value)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not {what}")
    return tuple(dict.fromkeys(values))
