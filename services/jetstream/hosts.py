"""Pure: which host comes next, after which pause, and with which wish."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.jetstream.metrics import Reconnect
from services.jetstream.resume import Wish
from services.shared.event import GapReason

if TYPE_CHECKING:
    from services.shared.cursor import Cursor

FAILURES_PER_HOST = 2
MISCONFIGURED_SECONDS = 60.0
AT_ONCE = frozenset(
    {
        Reconnect.ANOTHER_SERVER,
        Reconnect.STEPPED_BACK,
        Reconnect.STEPPED_OVER,
        Reconnect.COLLECTION_SILENT,
        Reconnect.SILENT,
        Reconnect.PAUSED,
        Reconnect.RESET,
    }
)
"""Ends that are our own doing, or that the next host is not to blame for: connect without a pause."""
LEAVE = frozenset({Reconnect.SILENT, Reconnect.COLLECTION_SILENT, Reconnect.MISCONFIGURED})


@dataclass
class Next:
    """Decides on the next connection from how the last ones ended."""

    hosts: tuple[str, ...]
    at: int = 0
    failures: int = 0
    """Connections in a row that brought nothing new."""
    wish: Wish = field(default_factory=Wish)
    _stuck_at: tuple[int, str] | None = None
    _stuck: int = 0

    def begin(self, cursor: Cursor) -> None:
        """Start with the host the cursor speaks of, if it is still among ours.

        How far to go back stays. What was learnt of a host's numbers and frames is learnt anew: the push that
        answered it may have been the last one, and a second gap row would tell of a hole that is none.
        """
        if cursor.host in self.hosts:
            self.at = self.hosts.index(cursor.host)
        self.wish = Wish(since_us=self.wish.since_us, not_before_us=self.wish.not_before_us)
        self._stuck_at, self._stuck = None, 0

    @property
    def host(self) -> str:
        """The host to connect to."""
        return self.hosts[self.at % len(self.hosts)]

    def ended(
        self, reason: Reconnect, cursor: Cursor, *, progress: bool, since_us: int | None = None
    ) -> None:
        """Take note of a connection's end; `cursor` is what was pushed by then.

        `since_us` is the event time that the end itself spoke of: of the collection last seen, of the
        event that showed a clock to be behind, or of the end of a gap.
        """
        self.failures = 0 if progress else self.failures + 1
        if progress:
            self.wish = Wish(not_before_us=self.wish.not_before_us)
            if reason is not Reconnect.OVERSIZE_FRAME:
                self._stuck_at = None
        if reason in LEAVE or (
            self.failures and self.failures % FAILURES_PER_HOST == 0 and reason not in AT_ONCE
        ):
            self._leave()
        if reason is Reconnect.COLLECTION_SILENT:
            self.wish = Wish(since_us=since_us)
        elif reason is Reconnect.STEPPED_BACK:
            self.wish = Wish(by_time=True, since_us=since_us)
        elif reason is Reconnect.ANOTHER_SERVER:
            self.wish = Wish(by_time=True, note=GapReason.HOST_CHANGED)
        elif reason is Reconnect.STEPPED_OVER:
            self.wish = Wish(not_before_us=since_us)
        elif reason is Reconnect.OVERSIZE_FRAME:
            self._oversize(cursor)

    def pause_after(self, reason: Reconnect) -> int | float:
        """Return the failures to back off for (int), or the seconds to wait (float)."""
        if reason is Reconnect.MISCONFIGURED and self.failures >= len(self.hosts):
            return MISCONFIGURED_SECONDS
        # One quiet try at once; a host that ends every connection is not hammered.
        return self.failures if reason not in AT_ONCE or self.failures > len(self.hosts) else 0

    def _leave(self) -> None:
        self.at = (self.at + 1) % len(self.hosts)

    def _oversize(self, cursor: Cursor) -> None:
        here = (cursor.time_us, cursor.identity)
        self._stuck = self._stuck + 1 if here == self._stuck_at else 1
        self._stuck_at = here
        if self._stuck > 1:
            self.wish = Wish(skip_larger=True, jump=max(0, self._stuck - 2), note=GapReason.OVERSIZE_FRAME)
