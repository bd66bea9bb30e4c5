"""The options of one fake host, and the clock of event time that several hosts may share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testing.events import HostView, Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fakes.jetstream.sources import Recording


PORTABLE_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """One fake host. Defaults are those of the real servers where they have one."""

    source: Traffic | Recording
    clock: Clock
    view: HostView = field(default_factory=HostView)
    """Kind of host, clock offset and sequence numbers."""
    host: str = PORTABLE_HOST
    port: int = 0
    look_back_s: float = 36 * 3600.0
    """Older cursors are silently clamped to this (v1 trims after 24 h, v2 after 36 h)."""
    outbox: int | None = 50_000
    """v1 only: a client this many events behind is disconnected without a close frame; None: no limit."""
    time_cursor_rewind_s: float = 0.0
    """v2 only: time cursors are rounded down to a multiple of this, as in jetstream issue 343."""
    empty_replay_repeats_all: bool = False
    """v1 only: a cursor between the newest event and now replays everything that is kept."""
    zstd_dictionary: Path | None = None
    """The v1 dictionary; without it, compress=true is refused with 501."""
    ping_interval_s: float = 30.0
    seed: int = 0
    """Seed of the randomly chosen faults (cutover)."""


@dataclass(slots=True)
class Clock:
    """The canonical clock of event time; several hosts may share it."""

    first_us: int
    """Unix microseconds of event time of the first event."""
    backlog_s: float = 0.0
    """Seconds of event time that have already passed at the start."""
    speed: float = 1.0
    """Seconds of event time per second of wall time; at 0 only `advance` moves the clock."""
    started: float = field(default_factory=time.time)
    """Unix seconds of wall time at the start; a later process with the same value continues this clock."""

    def now_us(self) -> int:
        """Return Unix microseconds of event time."""
        passed = (time.time() - self.started) * self.speed + self.backlog_s
        return self.first_us + int(passed * 1_000_000)

    def wall_s(self, event_us: int) -> float:
        """Return the wall seconds in which this much event time passes; infinite at speed 0."""
        return event_us / 1_000_000 / self.speed if self.speed else float("inf")

    def advance(self, seconds: float) -> None:
        """Move the clock forward by this much event time."""
        self.backlog_s += seconds
