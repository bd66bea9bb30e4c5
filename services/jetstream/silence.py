"""Pure: finds collections that a host has stopped sending, each measured against its own recent rate.

Hosts have stayed connected for ten hours and sent everything but some collections. All times are event times,
so that a replay at ten times the speed is judged like the live tail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE_WINDOW_US = 600e6
"""Time constant of the rate: ten minutes."""
MIN_TIMEOUT_US = 30e6
MAX_TIMEOUT_US = 3600e6
"""Collections so rare that their timeout would be longer are not watched."""
MEAN_INTERVALS = 20
"""Timeout in mean intervals: exceeded by chance once in e^20 = 5 * 10^8 times."""
MIN_EVENTS = 30
MAX_COLLECTIONS = 500
"""Any user can invent collections; those beyond this number are not watched."""


@dataclass(slots=True)
class _Rate:
    weight: float
    first_us: int
    last_us: int
    complete_until_us: int
    """Time of the newest event in the batch before the last one with this collection. Events of the
    collection may be missing from there on."""
    hosts_left: int = 0
    """Hosts left because of this silence."""

    def timeout_us(self) -> float:
        """Return the longest silence that the rate explains."""
        span_us = min(RATE_WINDOW_US, max(self.last_us - self.first_us, 1))
        return max(MIN_TIMEOUT_US, MEAN_INTERVALS * span_us / max(self.weight, 1.0))

    def is_watched(self) -> bool:
        return self.weight >= MIN_EVENTS and self.timeout_us() <= MAX_TIMEOUT_US


class Silence(NamedTuple):
    """A silent collection, the time up to which it is complete, and the hosts left because of it."""

    collection: str
    last_us: int
    hosts_left: int


class CollectionWatch:
    """Learns the rate of each collection and reports one that is silent for too long."""

    def __init__(self) -> None:
        self._rates: dict[str, _Rate] = {}
        self._newest_us = 0
        self._given_up: dict[str, int] = {}

    def see(self, counts: Mapping[str, int], newest_us: int) -> list[Silence]:
        """Count a batch's events by collection; return the given-up silences that end with this batch."""
        before_us, self._newest_us = min(self._newest_us or newest_us, newest_us), newest_us
        ended = []
        for collection, count in counts.items():
            rate = self._rates.get(collection)
            if rate is None:
                if len(self._rates) < MAX_COLLECTIONS:
                    self._rates[collection] = _Rate(count, newest_us, newest_us, before_us)
                continue
            elapsed = max(0, newest_us - rate.last_us)
            rate.weight = rate.weight * math.exp(-elapsed / RATE_WINDOW_US) + count
            if collection in self._given_up:
                ended.append(Silence(collection, self._given_up.pop(collection), rate.hosts_left))
                rate.first_us, rate.weight = newest_us, count
            rate.last_us = max(rate.last_us, newest_us)
            rate.complete_until_us = before_us
            rate.hosts_left = 0
        return ended

    def silent(self) -> Silence | None:
        """Return a collection whose timeout has passed, or None."""
        for collection, rate in self._rates.items():
            if collection in self._given_up or not rate.is_watched():
                continue
            if self._newest_us - rate.last_us > rate.timeout_us():
                return Silence(collection, rate.complete_until_us, rate.hosts_left)
        return None

    def host_left(self, silence: Silence) -> None:
        """Count a host that was left because of this silence."""
        self._rates[silence.collection].hosts_left += 1

    def give_up(self, silence: Silence) -> int:
        """Stop watching the collection until it is seen again; return the event time of now."""
        self._given_up[silence.collection] = self._newest_us
        return self._newest_us
