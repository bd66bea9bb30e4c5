"""Whether the compactor truly works: its looks succeed, and a long one makes progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STALLED_SECONDS = 3600.0
"""A look is due every minute; merging the largest hour takes some, at the lowest priority perhaps many."""


@dataclass
class CompactorHealth:
    """Facts that the loop keeps current, and the verdict."""

    trouble: str = ""
    """What the last look failed for; empty once one succeeded."""
    progress_at: float = field(default_factory=time.monotonic)

    def progress(self, trouble: str = "") -> None:
        """Note that a look has ended, and what was wrong with it."""
        self.trouble, self.progress_at = trouble, time.monotonic()

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return the verdict and what to show."""
        quiet = time.monotonic() - self.progress_at
        reasons = [self.trouble] if self.trouble else []
        if quiet > STALLED_SECONDS:
            reasons.append(f"no progress for {quiet:.0f} s")
        said: dict[str, object] = {"seconds_since_progress": round(quiet, 1)}
        return not reasons, {**said, **({"reasons": reasons} if reasons else {})}
