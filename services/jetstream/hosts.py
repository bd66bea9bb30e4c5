"""Pure decisions: which host to connect to next, after what delay, and with which hint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.jetstream.connection import DisconnectReason
from services.jetstream.resume import ResumeHint
from services.shared.event import GapReason

if TYPE_CHECKING:
    from services.shared.cursor import Cursor

FAILURES_PER_HOST = 2
MISCONFIGURED_SECONDS = 60.0
WITHOUT_DELAY = frozenset(
    {
        DisconnectReason.ANOTHER_SERVER,
        DisconnectReason.STEPPED_BACK,
        DisconnectReason.STEPPED_OVER,
        DisconnectReason.COLLECTION_SILENT,
        DisconnectReason.SILENT,
        DisconnectReason.PAUSED,
    }
)
"""We ended the connection ourselves, or the next host has no part in it: connect without a delay."""
CHANGE_HOST = frozenset(
    {DisconnectReason.SILENT, DisconnectReason.COLLECTION_SILENT, DisconnectReason.MISCONFIGURED}
)


@dataclass
class HostSelector:
    """Chooses the next connection from how the previous ones ended."""

    hosts: tuple[str, ...]
    index: int = 0
    failures: int = 0
    """Consecutive connections without a new event."""
    hint: ResumeHint = field(default_factory=ResumeHint)
    _oversize_at: tuple[int, str] | None = None
    """Cursor time and identity at which an oversize frame was met."""
    _oversize_count: int = 0

    def begin(self, cursor: Cursor) -> None:
        """Start a session with the cursor's host, if it is still configured.

        The hint keeps how far to go back. It drops what concerns sequence numbers and oversize frames: the
        push that resolved it may have succeeded, and a second gap row would report a gap that is none.
        """
        if cursor.host in self.hosts:
            self.index = self.hosts.index(cursor.host)
        self.hint = ResumeHint(since_us=self.hint.since_us, not_before_us=self.hint.not_before_us)
        self._oversize_at, self._oversize_count = None, 0

    @property
    def host(self) -> str:
        """The host to connect to."""
        return self.hosts[self.index % len(self.hosts)]

    def ended(
        self, reason: DisconnectReason, cursor: Cursor, *, progress: bool, since_us: int | None = None
    ) -> None:
        """Record the end of a connection; `cursor` is the one stored by then.

        `since_us` is the event time that the reason refers to: when the silent collection was last seen, from
        when to read a host whose clock stepped back, or where a gap ends.
        """
        self.failures = 0 if progress else self.failures + 1
        if progress:
            self.hint = ResumeHint(not_before_us=self.hint.not_before_us)
            if reason is not DisconnectReason.OVERSIZE_FRAME:
                self._oversize_at = None
        if reason in CHANGE_HOST or (
            self.failures and self.failures % FAILURES_PER_HOST == 0 and reason not in WITHOUT_DELAY
        ):
            self.index = (self.index + 1) % len(self.hosts)
        if reason is DisconnectReason.COLLECTION_SILENT:
            self.hint = ResumeHint(since_us=since_us)
        elif reason is DisconnectReason.STEPPED_BACK:
            self.hint = ResumeHint(by_time=True, since_us=since_us)
        elif reason is DisconnectReason.ANOTHER_SERVER:
            self.hint = ResumeHint(by_time=True, gap_reason=GapReason.HOST_CHANGED)
        elif reason is DisconnectReason.STEPPED_OVER:
            self.hint = ResumeHint(not_before_us=since_us)
        elif reason is DisconnectReason.OVERSIZE_FRAME:
            self._oversize(cursor)

    def delay_after(self, reason: DisconnectReason) -> int | float:
        """Return the number of failures to back off for (int), or the seconds to wait (float)."""
        if reason is DisconnectReason.MISCONFIGURED and self.failures >= len(self.hosts):
            return MISCONFIGURED_SECONDS
        # The first attempts follow at once; a host that ends every connection is backed off from.
        return self.failures if reason not in WITHOUT_DELAY or self.failures > len(self.hosts) else 0

    def _oversize(self, cursor: Cursor) -> None:
        at = (cursor.time_us, cursor.identity)
        self._oversize_count = self._oversize_count + 1 if at == self._oversize_at else 1
        self._oversize_at = at
        if self._oversize_count > 1:
            self.hint = ResumeHint(
                skip_larger=True,
                jump=max(0, self._oversize_count - 2),
                gap_reason=GapReason.OVERSIZE_FRAME,
            )
