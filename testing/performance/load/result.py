"""The result of a run: samples, Locust's table, the audit, what the archive holds, and the machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import psutil

from services.shared.event import JETSTREAM_STREAMS

if TYPE_CHECKING:
    from testing.performance.load.plan import Shape
    from testing.performance.load.sample import Sample
    from testing.proof.audit import Audit

IDENTITY = {"identities": "did, relay_seq", "accounts": "did, relay_seq"}
COMMIT = "did, rev, collection, rkey, operation"
PACKAGES = ("locust", "redis", "websockets", "pyarrow", "duckdb")


class Row(NamedTuple):
    """One line of Locust's table; times in milliseconds."""

    kind: str
    name: str
    requests: int
    failures: int
    per_second: float
    middle: float
    p95: float
    p99: float
    worst: float
    mean_size: float


@dataclass
class Result:
    """The result of one run."""

    shape: Shape
    target: str
    folder: Path
    samples: list[Sample]
    """From just before the load until everything was committed."""
    loaded: tuple[float, float]
    """Begin and end of the load, in the samples' seconds."""
    rows: list[Row]
    audit: Audit
    planted: int
    """Number of planted frames that must be rejected."""
    rejected: int
    """Rows of `rejects`."""
    gaps: list[tuple[str, float]]
    """Reason and seconds of each row of `gaps`."""
    exit_codes: dict[str, int]
    machine: dict[str, str]
    settings: dict[str, str]
    interval: float
    """Seconds between two claims."""
    began: str
    """Local time."""
    notes: list[str] = field(default_factory=list)
    restarts: int = 0
    """Number of times a daemon ended by itself."""
    hours: dict[str, int] = field(default_factory=dict)
    """Rows of each hour of event time; only for soaks."""
    doubled_rows: int = 0
    """Rows beyond the first of an event, by identity; only where the events are not known."""
    incidents: dict[str, int] = field(default_factory=dict)
    """Number of each kind of incident of the scenario."""

    @property
    def under_load(self) -> list[Sample]:
        """The samples taken under load."""
        return [sample for sample in self.samples if self.loaded[0] <= sample["at"] <= self.loaded[1]]

    @property
    def truth(self) -> int:
        """Number of events sent."""
        return sum(
            stream.truth for name, stream in self.audit.streams.items() if name not in ("rejects", "gaps")
        )


def rows_by_hour(root: Path) -> dict[str, int]:
    """Return the rows of each hour from the first to the last, 0 for empty ones."""
    counts: dict[int, int] = {}
    for stream in JETSTREAM_STREAMS:
        for hour, rows in _query(root, stream, "time_us // 3600000000 AS hour, count(*)", "GROUP BY 1"):
            counts[int(hour)] = counts.get(int(hour), 0) + int(rows)
    if not counts:
        return {}
    hours = range(min(counts), max(counts) + 1)
    return {
        datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:00"): counts.get(hour, 0)
        for hour in hours
    }


def doubled(root: Path) -> int:
    """Return the number of rows beyond the first of an event, by identity."""
    beyond = 0
    for stream in JETSTREAM_STREAMS:
        identity = IDENTITY.get(stream, COMMIT)
        for rows, events in _query(root, stream, f"count(*), count(DISTINCT hash({identity}))", ""):
            beyond += int(rows) - int(events)
    return beyond


def gaps_of(archive: Path) -> list[tuple[str, float]]:
    """Return the reason and length in seconds of every row of `gaps`."""
    parts = [str(part) for part in (archive / "raw" / "gaps").rglob("*.parquet")]
    if not parts:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT reason, (to_us - from_us) / 1e6 FROM read_parquet(?) ORDER BY from_us", [parts]
        ).fetchall()
    return [(str(reason), float(seconds)) for reason, seconds in rows]


def _query(root: Path, stream: str, columns: str, grouped: str) -> list[tuple[int, int]]:
    if not any((root / "raw" / stream).rglob("*.parquet")):
        return []
    with duckdb.connect() as connection:
        sql = f"SELECT {columns} FROM read_parquet(?) {grouped}"  # noqa: S608 - constants of this file
        found: list[tuple[int, int]] = connection.execute(
            sql, [f"{root}/raw/{stream}/**/*.parquet"]
        ).fetchall()
    return found


def machine() -> dict[str, str]:
    """Return processor, memory, disk, system and the relevant versions, in words."""
    memory = psutil.virtual_memory().total / 1e9
    disk = psutil.disk_usage(str(Path.cwd())).free / 1e9
    return {
        "processor": f"{os.cpu_count()} CPUs: {_processor()}",
        "memory": f"{memory:.0f} GB, {psutil.virtual_memory().available / 1e9:.0f} GB free",
        "disk": f"{disk:.0f} GB free",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before the run": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown")
