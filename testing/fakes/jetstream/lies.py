"""The lies a host can be told to tell, and how often each really fired."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from testing.fakes.jetstream.subscription import Filters, parse_filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testing.fakes.jetstream.store import Planted, Store
    from testing.fakes.jetstream.subscriber import Subscriber

ABORT = 1006
"""As a close code to send: cut the socket without a close frame, which the client sees as 1006."""


@dataclass(slots=True)
class HangUp:
    """One connection to be ended."""

    code: int
    reason: str
    frames_left: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a connect."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Cutover:
    """What v1's cutover does to the last second before the tip."""

    drop: float
    """This share of its events is never sent on that connection."""
    late: float
    """This share of the rest comes after the others, out of order."""


@dataclass(slots=True)
class Lies:
    """Commands, and what is still to be done about them. Times are wall seconds."""

    store: Store
    seed: int
    fired: Counter[str] = field(default_factory=Counter)
    subscribers: set[Subscriber] = field(default_factory=set)
    hang_ups: deque[HangUp] = field(default_factory=deque)
    refusals: deque[Refusal] = field(default_factory=deque)
    blindness: Filters | None = None
    cutovers: deque[Cutover] = field(default_factory=deque)
    mutes: int = 0
    silent_until: float = 0.0

    def hang_up(self, code: int = ABORT, *, after: int | None = None, reason: str = "") -> None:
        """End every open connection now, or the one that sends the n-th frame from now."""
        if after is not None:
            self.hang_ups.append(HangUp(code, reason, after))
            return
        for subscriber in list(self.subscribers):
            subscriber.hang_up(code, reason)
            self.fired["hang_up"] += 1

    def silence(self, seconds: float = float("inf")) -> None:
        """Send nothing, but answer pings, for so long or until `speak`; nothing is lost by it."""
        self.silent_until = time.monotonic() + seconds

    def speak(self) -> None:
        """End a silence."""
        self.silent_until = 0.0

    @property
    def silent(self) -> bool:
        """True during a silence."""
        return time.monotonic() < self.silent_until

    def mute(self, connects: int = 1) -> None:
        """Accept the next n connects and never send them anything."""
        self.mutes += connects

    def blind(self, collections: Sequence[str]) -> None:
        """Leave out these collections (`prefix.*` too) until `see`, live and replayed."""
        self.blindness = parse_filters(collections, (), 0, "v2") if collections else None

    def see(self) -> None:
        """End the blindness; what was left out is on the record and comes in replays."""
        self.blindness = None

    def repeat(self, frames: int) -> None:
        """Send every open connection its last n frames once more."""
        for subscriber in self.subscribers:
            subscriber.repeat(frames)

    def cutover(self, *, drop: float = 0.0, late: float = 0.0, times: int = 1) -> None:
        """Spoil the next n changes from replay to live: drop and reorder the last second."""
        self.cutovers.extend([Cutover(drop, late)] * times)

    def rewind(self, seconds: float) -> int:
        """Step the host's clock back for good; return the index of the first event under it."""
        self.fired["rewind"] += 1
        return self.store.rewind(seconds)

    def plant(self, planted: Planted, *, before: int | None = None) -> int:
        """Put a frame on the record before an event, by default the next; return that event's index."""
        return self.store.plant(planted, before)

    def refuse(self, connects: int = 1, *, status: int = 503, body: str = "service not ready") -> None:
        """Answer the next n connects with an HTTP status."""
        self.refusals.extend([Refusal(status, body)] * connects)

    def take_hang_up(self) -> HangUp | None:
        """Count one frame sent; return the hang-up that it completes."""
        if not self.hang_ups:
            return None
        self.hang_ups[0].frames_left -= 1
        if self.hang_ups[0].frames_left > 0:
            return None
        self.fired["hang_up"] += 1
        return self.hang_ups.popleft()

    def take_mute(self) -> bool:
        """Say whether this connect is one of the muted."""
        if not self.mutes:
            return False
        self.mutes -= 1
        self.fired["mute"] += 1
        return True

    def take_refusal(self) -> Refusal | None:
        """Return the answer to this connect, if it is to be refused."""
        if not self.refusals:
            return None
        self.fired["refuse"] += 1
        return self.refusals.popleft()

    def spoil(self, window: Iterable[int]) -> tuple[list[int], list[int], list[int]]:
        """Return a cutover's window as (in order, late and shuffled, dropped), chosen by the seed."""
        events = list(window)
        if not self.cutovers or not events:
            return events, [], []
        cutover = self.cutovers.popleft()
        self.fired["cutover"] += 1
        dropped = [i for i in events if self._draw(i, "drop") < cutover.drop]
        kept = [i for i in events if self._draw(i, "drop") >= cutover.drop]
        late = [i for i in kept if self._draw(i, "late") < cutover.late]
        late.sort(key=lambda i: self._draw(i, "order"))
        self.fired["cutover_dropped"] += len(dropped)
        self.fired["cutover_late"] += len(late)
        return [i for i in kept if self._draw(i, "late") >= cutover.late], late, dropped

    def _draw(self, i: int, what: str) -> float:
        digest = blake2b(f"{self.seed}/{what}/{i}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2**64
