"""Whether the ingester truly works: events arrive and are pushed, or it is paused on purpose."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

GRACE_SECONDS = 15.0
"""Beyond the idle limit: time to change hosts and to see the first event."""


@dataclass
class IngesterHealth:
    """Facts that the loop keeps current, and the verdict."""

    idle_seconds: float
    state: str = "starting"
    paused: str | None = None
    pushed_at: float = field(default_factory=time.monotonic)
    """Monotonic second of the last push."""

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return the verdict and what to show."""
        if self.paused is not None and self.state == "running":
            return True, {"state": "paused", "why": self.paused}
        quiet = time.monotonic() - self.pushed_at
        said: dict[str, object] = {"state": self.state, "seconds_since_push": round(quiet, 1)}
        if self.state != "running":
            return False, {**said, "reasons": [self.state]}
        if quiet > self.idle_seconds + GRACE_SECONDS:
            return False, {**said, "reasons": [f"nothing new was pushed for {quiet:.0f} s"]}
        return True, said
