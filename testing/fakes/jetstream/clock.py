"""Event time: how far the network's day has come, at any speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """The canonical clock of one network; several hosts may share it."""

    first_us: int
    """Unix microseconds of event time at which the network's day began."""
    backlog_s: float = 0.0
    """Seconds of event time that have already passed at the start."""
    speed: float = 1.0
    """Seconds of event time in a second of wall time; 0 stands still, for tests that use `advance`."""
    started: float = field(default_factory=time.time)
    """Unix seconds of wall time at the start; the same value in a later process goes on from there."""

    def now_us(self) -> int:
        """Return Unix microseconds of event time."""
        passed = (time.time() - self.started) * self.speed + self.backlog_s
        return self.first_us + int(passed * 1_000_000)

    def wall_s(self, event_us: int) -> float:
        """Return how many wall seconds so much event time takes; infinite while the clock stands still."""
        return event_us / 1_000_000 / self.speed if self.speed else float("inf")

    def advance(self, seconds: float) -> None:
        """Let so much event time pass at once."""
        self.backlog_s += seconds
