"""The writer's health: healthy while its rounds succeed and long rounds make progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STALLED_SECONDS = 60.0
"""Unhealthy after so long without progress: the writer polls every second, and a chunk takes a few."""


@dataclass
class WriterHealth:
    """The state that the loop reports; calling it evaluates it."""

    state: str = "starting"
    last_error: str | None = None
    """Why the last attempt failed; None after a success."""
    progress_at: float = field(default_factory=time.monotonic)
    """Monotonic second of the last successful poll or chunk."""
    ledger_error: str | None = None
    """Why the ledger stopped counting; stays until a restart."""

    def progress(self, state: str) -> None:
        """Record a success."""
        self.state, self.last_error, self.progress_at = state, None, time.monotonic()

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return whether the writer is healthy, and the body of `/healthz`."""
        idle = time.monotonic() - self.progress_at
        body: dict[str, object] = {"state": self.state, "seconds_since_progress": round(idle, 1)}
        reasons = [error for error in (self.last_error, self.ledger_error) if error]
        if idle > STALLED_SECONDS:
            reasons.append(f"no progress for {idle:.0f} s")
        if self.state == "starting":
            reasons.append("starting")
        return not reasons, {**body, **({"reasons": reasons} if reasons else {})}
