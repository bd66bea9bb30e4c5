"""Captured frames from a JSON-lines file, replayed byte for byte in the file's order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Recording:
    """A file of frames with the pace at which they appear; their own time_us stay as captured."""

    path: Path
    first_us: int
    """Event time of the clock at which the first line appears."""
    rate: float
    """Lines per second of event time."""

    @cached_property
    def frames(self) -> list[bytes]:
        """Every line, without its end."""
        return [line for line in self.path.read_bytes().split(b"\n") if line]

    @cached_property
    def times(self) -> list[int]:
        """Every line's time_us; capture order is not time order."""
        return [json.loads(frame)["time_us"] for frame in self.frames]

    @cached_property
    def newest(self) -> list[int]:
        """The newest time_us up to and including each line."""
        return list(accumulate(self.times, max))

    def tip(self, now_us: int) -> int:
        """Return how many lines have appeared at this event time."""
        return max(0, min(len(self.frames), int((now_us - self.first_us) * self.rate / 1_000_000) + 1))

    def due_us(self, i: int) -> int | None:
        """Return the event time at which line i appears; None beyond the last."""
        return self.first_us + int(i * 1_000_000 / self.rate) if i < len(self.frames) else None
