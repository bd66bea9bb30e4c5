"""Pure: is a host blind to a collection? Each is measured against its own recent rate.

Hosts have been connected, lively and without some collections for ten hours. All times here are event
times, so a replay at ten times the speed looks no different from the live stream.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY_US = 600e6
"""Time constant of the rate: ten minutes."""
SHORTEST_US = 30e6
LONGEST_US = 3600e6
"""Rarer collections than this can tell are not watched."""
INTERVALS = 20
"""Silent for so many mean intervals: by chance once in e^20 = 5 * 10^8 times."""
LEARNT_EVENTS = 30
MOST_COLLECTIONS = 500
"""Anybody can invent collections; those beyond this number are not watched."""


@dataclass(slots=True)
class _Seen:
    weight: float
    first_us: int
    last_us: int
    sure_us: int
    """Of the newest event before the batch it was last seen in: it may be missing from there on."""
    tried: int = 0
    """Hosts left because of this silence."""

    def patience_us(self) -> float:
        """Longest believable silence."""
        span = min(MEMORY_US, max(self.last_us - self.first_us, 1))
        return max(SHORTEST_US, INTERVALS * span / max(self.weight, 1.0))

    def watched(self) -> bool:
        return self.weight >= LEARNT_EVENTS and self.patience_us() <= LONGEST_US


class Silence(NamedTuple):
    """A collection that fell silent, up to when it is whole, and how many hosts were left for it before."""

    collection: str
    last_us: int
    tried: int


class CollectionWatch:
    """Learns the rate of each collection and tells which is silent for too long."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._newest_us = 0
        self._mute: dict[str, int] = {}

    def see(self, counts: Mapping[str, int], newest_us: int) -> list[Silence]:
        """Count a batch; returns the silences that ended with it and had been given up on."""
        before_us, self._newest_us = min(self._newest_us or newest_us, newest_us), newest_us
        ended = []
        for collection, count in counts.items():
            seen = self._seen.get(collection)
            if seen is None:
                if len(self._seen) < MOST_COLLECTIONS:
                    self._seen[collection] = _Seen(count, newest_us, newest_us, before_us)
                continue
            elapsed = max(0, newest_us - seen.last_us)
            seen.weight = seen.weight * math.exp(-elapsed / MEMORY_US) + count
            if collection in self._mute:
                ended.append(Silence(collection, self._mute.pop(collection), seen.tried))
                seen.first_us, seen.weight = newest_us, count
            seen.last_us = max(seen.last_us, newest_us)
            seen.sure_us = before_us
            seen.tried = 0
        return ended

    def silent(self) -> Silence | None:
        """Return a collection that the host should have sent by now."""
        for collection, seen in self._seen.items():
            if collection in self._mute or not seen.watched():
                continue
            if self._newest_us - seen.last_us > seen.patience_us():
                return Silence(collection, seen.sure_us, seen.tried)
        return None

    def left(self, silence: Silence) -> None:
        """Note that a host was left for this."""
        self._seen[silence.collection].tried += 1

    def give_up(self, silence: Silence) -> int:
        """Watch it no more until it is seen again; returns up to when it was missed."""
        self._mute[silence.collection] = self._newest_us
        return self._newest_us
