"""Health of the ingester: events are being pushed, or it is paused by backpressure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

GRACE_SECONDS = 15.0
"""Added to the idle limit: time to change hosts and to receive the first event."""


@dataclass
class IngesterHealth:
    """Facts that the loop updates; calling it returns whether the ingester works."""

    idle_seconds: float
    state: str = "starting"
    paused: str | None = None
    pushed_at: float = field(default_factory=time.monotonic)
    """Monotonic second of the last push."""

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return whether it works, and the facts to show."""
        if self.paused is not None and self.state == "running":
            return True, {"state": "paused", "why": self.paused}
        quiet = time.monotonic() - self.pushed_at
        facts: dict[str, object] = {"state": self.state, "seconds_since_push": round(quiet, 1)}
        if self.state != "running":
            return False, {**facts, "reasons": [self.state]}
        if quiet > self.idle_seconds + GRACE_SECONDS:
            return False, {**facts, "reasons": [f"nothing new was pushed for {quiet:.0f} s"]}
        return True, facts
