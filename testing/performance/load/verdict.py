"""The limits of a run, and which of them hold."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from testing.performance.load import figures
from testing.performance.load.figures import grown, grown_all, peak, points, rise

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.performance.load.result import Result

LIMITS = Path(__file__).with_name("limits.toml")
AT_LEAST = ("received_share", "redis_commands_per_s", "knee_per_s")
"""Lower limits; all others are upper limits."""
NEEDS_TRUTH = ("received_share", "lost", "doubled", "altered", "unexplained_rejects")
"""Limits that cannot be measured on public hosts."""
MINUTE = 60.0
MB = 1e6


class LimitResult(NamedTuple):
    """One limit and the measured value."""

    limit: str
    allowed: float
    found: float

    @property
    def holds(self) -> bool:
        """Whether the limit holds; a value that could not be measured breaks it."""
        if math.isnan(self.found):
            return False
        return self.found >= self.allowed if self.limit in AT_LEAST else self.found <= self.allowed


def limits_of(shape: str, path: Path = LIMITS) -> dict[str, float]:
    """Return the limits of a shape."""
    tables: dict[str, dict[str, float]] = tomllib.loads(path.read_text(encoding="utf-8"))
    if shape == "live":
        return {name: limit for name, limit in tables["every"].items() if name not in NEEDS_TRUTH} | tables[
            shape
        ]
    return {**tables["every"], **tables.get(shape, {})}


def judge(result: Result, limits: dict[str, float]) -> list[LimitResult]:
    """Return a result for each limit; KeyError for an unknown limit."""
    allowed = dict(limits)
    events = _pushed(result) / 2
    per_event = allowed.pop("rss_rise_bytes_per_event", 0.0)
    if "rss_rise_mb" in allowed:
        allowed["rss_rise_mb"] += per_event * events / MB
    return [LimitResult(name, limit, MEASURES[name](result)) for name, limit in allowed.items()]


def _received(result: Result) -> float:
    offered = grown(result.under_load, "tip")
    return grown(result.under_load, "pushed") / offered if offered else math.nan


def _pushed(result: Result) -> float:
    return grown(result.samples, "pushed")


def _batch(result: Result) -> float:
    slowest = [
        figures.quantile(result.samples, f"archive_{stage}_seconds", 1.0) for stage in ("encode", "commit")
    ]
    return sum(slowest) if all(slowest) else math.nan


def _faults(result: Result, *kinds: str) -> float:
    streams = (stream for name, stream in result.audit.streams.items() if name != "rejects")
    return float(sum(getattr(stream, kind) for stream in streams for kind in kinds))


def _rejects(result: Result) -> float:
    rejects = result.audit.streams.get("rejects")
    return float(result.rejected if rejects is None else rejects.errors)


def _unaccounted(result: Result) -> float:
    last = [
        value
        for name in {key for sample in result.samples for key in sample}
        if name.startswith("archive_unaccounted_events")
        for _, value in points(result.samples, name)[-1:]
    ]
    return sum(map(abs, last)) if last else math.nan


def _redis_share(result: Result) -> float:
    shares = (one["redis.used"] / one["redis.max"] for one in result.samples if "redis.max" in one)
    return max(shares, default=math.nan)


def _commands(result: Result) -> float:
    """Return the commands per second that Redis answered in its slowest minute."""
    found = points(result.under_load, "redis.commands_total")
    if not found:
        return math.nan
    span = min(MINUTE, found[-1][0] - found[0][0]) * 0.98
    slow = [
        rate
        for at, rate in figures.rates(result.under_load, "redis.commands_total", span)
        if at - found[0][0] >= span
    ]
    return min(slow, default=math.nan)


def _writer_errors(result: Result) -> float:
    return grown_all(result.samples, "archive_commit_retries_total") + grown_all(
        result.samples, "archive_encode_rejects_total"
    )


def _written(result: Result) -> float:
    """Return bytes per event, without those that Redis logged for the pushes of BufferUser."""
    written = grown(result.samples, "written_total.redis") + grown(result.samples, "written_total.writer")
    beside = sum(row.requests * row.mean_size for row in result.rows if row.kind == "BUFFER")
    return (written - beside) / _pushed(result) if written and _pushed(result) else math.nan


def _rss_rise(result: Result) -> float:
    return max(
        rise(points(result.under_load, f"rss.{process}")) / MB for process in ("ingester", "writer", "redis")
    )


def _depth_rise(result: Result) -> float:
    rate = grown(result.under_load, "pushed") / max(1e-9, result.loaded[1] - result.loaded[0])
    return rise(points(result.under_load, "waiting")) / max(1.0, rate * result.interval)


def _recovery(result: Result) -> float:
    shape = result.shape
    assert shape.spike is not None
    begin = result.loaded[0] + shape.begins(shape.spike)
    end = begin + shape.stages[shape.spike].seconds
    before = [s for s in result.samples if result.loaded[0] <= s["at"] < begin]
    return figures.recovery(result.samples, before, end, shape.stages[0].users * shape.share)


def _rss(process: str) -> Callable[[Result], float]:
    return lambda result: peak(result.samples, f"rss.{process}") / MB or math.nan


def _cpu(process: str) -> Callable[[Result], float]:
    return lambda result: figures.share_of_core(result.under_load, process)


MEASURES: dict[str, Callable[[Result], float]] = {
    "received_share": _received,
    "push_p99_seconds": lambda run: (
        figures.quantile(run.samples, "archive_buffer_latency_seconds", 0.99) or math.nan
    ),
    "batch_seconds": _batch,
    "lost": lambda run: _faults(run, "lost"),
    "doubled": lambda run: _faults(run, "doubled"),
    "altered": lambda run: _faults(run, "altered", "unknown"),
    "unexplained_rejects": _rejects,
    "unaccounted": _unaccounted,
    "gap_rows": lambda run: float(len(run.gaps)),
    "redis_share": _redis_share,
    "redis_commands_per_s": _commands,
    "writer_errors": _writer_errors,
    "restarts": lambda run: float(run.restarts),
    "empty_hours": lambda run: float(sum(not rows for rows in run.hours.values())) if run.hours else math.nan,
    "doubled_rows": lambda run: float(run.doubled_rows),
    "holes": lambda run: float(
        sum(reason not in ("archive_start", "collection_silent") for reason, _ in run.gaps)
    ),
    "failures": lambda run: float(sum(row.failures for row in run.rows)) if run.rows else math.nan,
    "exit_codes": lambda run: float(sum(map(abs, run.exit_codes.values()))) if run.exit_codes else math.nan,
    "cpu_ingester": _cpu("ingester"),
    "cpu_writer": _cpu("writer"),
    "cpu_redis": _cpu("redis"),
    "rss_ingester_mb": _rss("ingester"),
    "rss_writer_mb": _rss("writer"),
    "rss_redis_mb": _rss("redis"),
    "written_bytes_per_event": _written,
    "rss_rise_mb": _rss_rise,
    "depth_rise_intervals": _depth_rise,
    "recovery_seconds": _recovery,
    "knee_per_s": lambda run: figures.knee(_from_load(run), run.shape),
}
"""Functions that measure the limits."""


def _from_load(result: Result) -> list[dict[str, float]]:
    """Return the samples of the load with its start as second 0."""
    return [{**sample, "at": sample["at"] - result.loaded[0]} for sample in result.under_load]
