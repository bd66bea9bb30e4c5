"""Whether the writer truly works: its rounds succeed, and a long one makes progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STALLED_SECONDS = 60.0
"""A look at the buffers is due every second, a chunk takes a few at most."""


@dataclass
class WriterHealth:
    """Facts that the loop keeps current, and the verdict."""

    state: str = "starting"
    trouble: str | None = None
    """What the last try failed for; None once one succeeded."""
    progress_at: float = field(default_factory=time.monotonic)
    """Monotonic second of the last look or chunk that succeeded."""

    def progress(self, state: str) -> None:
        """Note that something succeeded."""
        self.state, self.trouble, self.progress_at = state, None, time.monotonic()

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return the verdict and what to show."""
        quiet = time.monotonic() - self.progress_at
        said: dict[str, object] = {"state": self.state, "seconds_since_progress": round(quiet, 1)}
        reasons = [self.trouble] if self.trouble else []
        if quiet > STALLED_SECONDS:
            reasons.append(f"no progress for {quiet:.0f} s")
        if self.state == "starting":
            reasons.append("starting")
        return not reasons, {**said, **({"reasons": reasons} if reasons else {})}
