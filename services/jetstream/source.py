"""One connection to a host, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.cutover import CutoverWatch
    from services.jetstream.metrics import Reconnect
    from services.jetstream.resume import Overlap, Plan
    from services.shared.cursor import Window


@dataclass(slots=True, eq=False)
class Source:
    """One connection to a host, and what is known of it."""

    plan: Plan
    overlap: Overlap
    cutover: CutoverWatch
    window: Window | None = None
    """Set on a connection that only reads this window once more; it never moves the cursor."""
    close: Callable[[], None] = lambda: None
    """Ends the connection; set once there is one."""
    ending: Reconnect | None = None
    since_us: int | None = None
    """Event time that the reason speaks of (see `hosts`)."""
    dead: bool = False
    """What it sent must not be used."""
    last_at: float = field(default=0.0)
    """Monotonic second of the last frame, or of the connection's making."""
    received: bool = False
    """Any frame came."""
    read_through: bool = False
    """The window was read to its end."""
    waiting: int = 0
    """Arrivals of it in the inbox."""
    progress: bool = False
    """Something new came by it and was pushed."""

    def end(self, reason: Reconnect, *, dead: bool = False, since_us: int | None = None) -> None:
        """Ask for the end of the connection; the first reason, and what it says of the next, stay."""
        if self.ending is None:
            self.ending, self.since_us = reason, since_us
        self.dead = self.dead or dead
        self.close()
