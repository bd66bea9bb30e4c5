"""The faults that a host can inject, and how often each happened."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from testing.fakes.jetstream.subscription import Filters, parse_filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testing.fakes.jetstream.store import Planted, Store

ABORT = 1006
"""As a close code: cut the socket without a close frame, which the client sees as 1006."""


class OpenConnection(Protocol):
    """A subscriber's connection, as faults act on it."""

    def hang_up(self, code: int, reason: str) -> None:
        """End the connection with a close code, or without a close frame if the code is ABORT."""

    def repeat(self, frames: int) -> None:
        """Send the last n frames again."""

    def abort(self) -> None:
        """Cut the socket."""


@dataclass(slots=True)
class HangUp:
    """One connection to be ended."""

    code: int
    reason: str
    frames_left: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The HTTP answer to a refused connect."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Cutover:
    """What v1's cutover does to the last second before the tip."""

    drop: float
    """Share of its events that is never sent on that connection."""
    late: float
    """Share of the rest that is sent after the others, out of order."""


@dataclass(slots=True)
class Faults:
    """Faults that were ordered and are still to happen. Times are wall seconds."""

    store: Store
    seed: int
    fired: Counter[str] = field(default_factory=Counter)
    subscribers: set[OpenConnection] = field(default_factory=set)
    hang_ups: deque[HangUp] = field(default_factory=deque)
    refusals: deque[Refusal] = field(default_factory=deque)
    blinded: Filters | None = None
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
        """Send nothing but pongs for this long or until `speak`; the events are sent afterwards."""
        self.silent_until = time.monotonic() + seconds

    def speak(self) -> None:
        """End a silence."""
        self.silent_until = 0.0

    @property
    def silent(self) -> bool:
        """Whether the host is silent now."""
        return time.monotonic() < self.silent_until

    def mute(self, connects: int = 1) -> None:
        """Accept the next n connects and never send them anything."""
        self.mutes += connects

    def blind(self, collections: Sequence[str]) -> None:
        """Leave out these collections (`prefix.*` too) until `see`, live and replayed."""
        self.blinded = parse_filters(collections, (), 0, "v2") if collections else None

    def see(self) -> None:
        """End `blind`; a replay sends the events that were left out."""
        self.blinded = None

    def repeat(self, frames: int) -> None:
        """Send every open connection its last n frames again."""
        for subscriber in self.subscribers:
            subscriber.repeat(frames)

    def cutover(self, *, drop: float = 0.0, late: float = 0.0, times: int = 1) -> None:
        """Disturb the next n changes from replay to live: drop and reorder events of the last second."""
        self.cutovers.extend([Cutover(drop, late)] * times)

    def rewind(self, seconds: float) -> int:
        """Step the host's clock back permanently; return the index of the first event after the step."""
        self.fired["rewind"] += 1
        return self.store.rewind(seconds)

    def plant(self, planted: Planted, *, before: int | None = None) -> int:
        """Put a frame before an event, by default the next; return that event's index."""
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
        """Return whether this connect is muted."""
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

    def disturb(self, window: Iterable[int]) -> tuple[list[int], list[int], list[int]]:
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
