"""The clock of the traffic and its frames: when event i happens, and how a host of either kind sends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testing.events.records import body, burst_leader

if TYPE_CHECKING:
    from collections.abc import Iterator

_MASK = 2**64 - 1
_MILLI_US = 1_000_000_000
"""Microseconds in a second times the thousandths that rates are counted in."""


@dataclass(frozen=True, slots=True)
class HostView:
    """How one Jetstream host sees the network: the same events under its own times and numbers."""

    kind: Literal["v1", "v2"] = "v1"
    offset_us: int = 0
    """This host's time_us less the canonical one."""
    first_seq: int = 1
    """v2 only: event i has the top-level `cursor` first_seq + i."""
    batch: int = 3
    """v2 only: so many neighbours share the time_us of the first of them."""

    def leader(self, i: int) -> int:
        """Return the event whose time event i bears on this host."""
        return i - i % self.batch if self.kind == "v2" else i


@dataclass(frozen=True, slots=True)
class Traffic:
    """All that happens on a network: event i (from 0) is a function of seed and i."""

    seed: int
    first_us: int
    """Unix microseconds of the canonical clock at which events begin."""
    rate: float
    """Events per second of event time, exact to a thousandth; at most a million."""
    total: int | None = None
    """How many events there are; None for no end."""

    def time_us(self, i: int) -> int:
        """Return the canonical Unix microseconds of event i; strictly increasing in i, jitter included."""
        start = self._since_first(i)
        return self.first_us + start + (_jitter(self.seed + i) * (self._since_first(i + 1) - start) >> 32)

    def index_at(self, time_us: int) -> int:
        """Return the smallest i with time_us(i) >= time_us; `total` where there is none."""
        # Jitter stays inside the event's own interval, so only the neighbour before can be late enough.
        past = time_us - self.first_us
        i = max(0, -(-past * self._per_million() // _MILLI_US))
        if i and self.time_us(i - 1) >= time_us:
            i -= 1
        return i if self.total is None else min(i, self.total)

    def seen_us(self, i: int, view: HostView) -> int:
        """Return the time_us of event i on a host."""
        return self.time_us(view.leader(i)) + view.offset_us

    def seen_index_at(self, time_us: int, view: HostView) -> int:
        """Return the smallest i with seen_us(i) >= time_us: the first of a batch that shares a time."""
        i = self.index_at(time_us - view.offset_us)
        first = view.leader(i + (view.batch - 1 if view.kind == "v2" else 0))
        return first if self.total is None else min(first, self.total)

    def frame(self, i: int, view: HostView) -> bytes:
        """Return the v1 JSON of event i as this host sends it; IndexError beyond the last."""
        return self.frame_at(i, view, self.seen_us(i, view))

    def frame_at(self, i: int, view: HostView, time_us: int) -> bytes:
        """Return frame(i, view) under another time_us, for a host whose clock was wrong at the time."""
        if i < 0 or (self.total is not None and i >= self.total):
            raise IndexError(f"there is no event {i}")
        now = self.time_us(i)
        leader = burst_leader(i)
        actor, rest = body(self.seed, i, now, now if leader == i else self.time_us(leader))
        seq = f'"cursor":{view.first_seq + i},' if view.kind == "v2" else ""
        return f'{{"did":"{actor}","time_us":{time_us},{seq}{rest}}}'.encode()

    def truth(self, view: HostView) -> Iterator[bytes]:
        """Yield every frame this host would send, from event 0 on."""
        i = 0
        while self.total is None or i < self.total:
            yield self.frame(i, view)
            i += 1

    def _per_million(self) -> int:
        return round(self.rate * 1000)

    def _since_first(self, i: int) -> int:
        return i * _MILLI_US // self._per_million()


def _jitter(x: int) -> int:
    """Return 32 well-mixed bits of x (the finalizer of splitmix64, shortened)."""
    x = (x * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    return x >> 32
