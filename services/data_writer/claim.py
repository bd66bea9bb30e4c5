"""CLAIM, pure: tells which streams are due to be claimed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.shared.event import Stream


class ClaimLimits(NamedTuple):
    """When to claim: every `interval` seconds, or earlier past `rows` waiting or `age` seconds of waiting."""

    interval: float
    rows: int
    age: float


@dataclass
class Schedule:
    """Remembers, in monotonic seconds, when each stream was claimed and since when its events wait.

    Waiting counts from when the writer first saw the buffer filled, not from event time: while an outage
    of hours is caught up every event is old, and parts would be tiny.
    """

    limits: ClaimLimits
    round_at: float
    _waiting: dict[Stream, float] = field(default_factory=dict)

    def due(self, depths: Mapping[Stream, int], now: float) -> list[Stream]:
        """Return the streams to be claimed now; every interval all of them, the empty ones too."""
        for stream, depth in depths.items():
            # A list that is empty now may stand in a claim whose round failed: that wait goes on.
            if depth:
                self._waiting.setdefault(stream, now)
        if now - self.round_at >= self.limits.interval:
            return list(depths)
        return [
            stream
            for stream, depth in depths.items()
            if depth >= self.limits.rows or now - self._waiting.get(stream, now) >= self.limits.age
        ]

    def claimed(self, streams: list[Stream], now: float, *, whole: bool) -> None:
        """Take note of a round; `whole`: it claimed every stream."""
        for stream in streams:
            self._waiting.pop(stream, None)
        if whole:
            self.round_at = now

    def oldest_wait(self, stream: Stream, now: float) -> float:
        """Return for how many seconds the stream's oldest event has waited, as far as was seen."""
        return now - self._waiting.get(stream, now)
