"""Two days of the firehose's life, as acts at event times: what happens when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

HOUR = 3600.0
HOURS = 48.0
RECONNECT_EVERY = 300.0
"""Event seconds."""
LEAST_BETWEEN = 4.0
"""Wall seconds: a compressed run reconnects less often, or it would do nothing else."""
LEAST_ABSENCE = 3.0
"""Wall seconds that a host stays away, so that it is noticed in a compressed run too."""
FAIL_OVERS = (11.0, 35.0)
"""At these hours the host in use goes away for ten minutes."""
FAIL_OVER_SECONDS = 600.0
OUTAGE = (20.0, 28.0)
"""Every host is away between these hours."""
SPIKE_RHYTHM = "day+bursts:43200:600:10"
"""The day's curve, and in the middle of each day ten minutes of ten times as much."""


class Kind(StrEnum):
    """What happens."""

    RECONNECT = "reconnect"
    FAIL_OVER = "fail_over"
    OUTAGE = "outage"


class Act(NamedTuple):
    """One thing that happens; seconds of event time since the beginning, and how long it lasts."""

    at: float
    kind: Kind
    lasts: float


@dataclass(frozen=True)
class Scenario:
    """The two days, `speed` event seconds in a wall second; `hours` cuts them short."""

    speed: float
    hours: float = HOURS

    @property
    def seconds(self) -> float:
        """Wall seconds that it takes."""
        return self.hours * HOUR / self.speed

    def acts(self) -> list[Act]:
        """Return all that happens, in order; nothing happens while hosts are away but their return."""
        least = LEAST_ABSENCE * self.speed
        away = [Act(hour * HOUR, Kind.FAIL_OVER, max(FAIL_OVER_SECONDS, least)) for hour in FAIL_OVERS]
        away.append(Act(OUTAGE[0] * HOUR, Kind.OUTAGE, max((OUTAGE[1] - OUTAGE[0]) * HOUR, least)))
        every = max(RECONNECT_EVERY, LEAST_BETWEEN * self.speed)
        times = (every * number for number in range(1, int(self.hours * HOUR / every)))
        between = [
            Act(at, Kind.RECONNECT, 0.0)
            for at in times
            if not any(act.at - every < at < act.at + act.lasts + every for act in away)
        ]
        whole = self.hours * HOUR
        return sorted(act for act in [*away, *between] if act.at + act.lasts < whole)
