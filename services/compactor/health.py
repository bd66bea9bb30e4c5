"""The compactor's health: whether its last round succeeded and whether it makes progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STALLED_SECONDS = 3600.0
"""A round runs every minute; merging the largest hour at the lowest priority may take many minutes."""


@dataclass
class CompactorHealth:
    """State that the loop updates; calling it returns the verdict for /healthz."""

    last_error: str = ""
    """Why the last round failed or waits for a person; empty after a round that succeeded."""
    progress_at: float = field(default_factory=time.monotonic)

    def progress(self, error: str = "") -> None:
        """Record that a round, or an hour within it, is done, and the error it met, if any."""
        self.last_error, self.progress_at = error, time.monotonic()

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return whether the compactor is healthy, and the details to show."""
        quiet = time.monotonic() - self.progress_at
        reasons = [self.last_error] if self.last_error else []
        if quiet > STALLED_SECONDS:
            reasons.append(f"no progress for {quiet:.0f} s")
        details: dict[str, object] = {"seconds_since_progress": round(quiet, 1)}
        return not reasons, {**details, **({"reasons": reasons} if reasons else {})}
