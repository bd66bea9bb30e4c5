"""One connection to a Jetstream host: why it ended, and its state, which only the methods here change."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.jetstream.resume import ContinuityCheck, CutoverWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.resume import ResumePlan
    from services.shared.cursor import Window


class DisconnectReason(StrEnum):
    """Why a connection ended: the complete list."""

    CLOSED = "closed"
    """The host closed it, or a window was re-read to its end."""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The host answered the handshake with an error status other than 400."""
    MISCONFIGURED = "misconfigured"
    """The host answered 400: it refuses the filters or the cursor."""
    SILENT = "silent"
    """No data for `INGEST_IDLE_SECONDS`."""
    COLLECTION_SILENT = "collection_silent"
    """The host stopped sending a collection."""
    OVERSIZE_FRAME = "oversize_frame"
    """A frame larger than `INGEST_MAX_FRAME_BYTES` arrived."""
    ANOTHER_SERVER = "another_server"
    """The host's sequence numbers are not those of the cursor."""
    STEPPED_BACK = "stepped_back"
    """The host's clock is behind the cursor."""
    STEPPED_OVER = "stepped_over"
    """A frame that cannot be received was skipped; the next connection need not skip anything."""
    PAUSED = "paused"
    """Backpressure."""


class ConnectionState:
    """State of one connection, from before it is opened until everything it sent is pushed.

    Attributes are plain because some are read once per event; other modules read them and call methods to
    change them.
    """

    __slots__ = (
        "_close",
        "continuity",
        "cutover",
        "disconnect_reason",
        "has_progress",
        "has_received",
        "is_discarded",
        "is_window_complete",
        "last_frame_at",
        "plan",
        "since_us",
        "unpushed",
        "window",
    )

    def __init__(self, plan: ResumePlan, now: float, window: Window | None = None) -> None:
        """Describe a connection that is opened at monotonic second `now`.

        With `window` the connection only re-reads that interval and never moves the cursor.
        """
        self.plan = plan
        self.window = window
        self.continuity = ContinuityCheck(plan)
        self.cutover = CutoverWatch(plan.host, now)
        self.disconnect_reason: DisconnectReason | None = None
        """Why we ended it; None while we have not."""
        self.since_us: int | None = None
        """Event time from which the next connection must read, if the reason implies one (see `hosts`)."""
        self.last_frame_at = now
        """Monotonic second of the last frame, or of the creation of this object."""
        self.unpushed = 0
        """Frames of this connection in the inbox."""
        self.has_received = False
        """At least one frame arrived."""
        self.has_progress = False
        """At least one new event of this connection was pushed."""
        self.is_discarded = False
        """Its further frames must not be used."""
        self.is_window_complete = False
        """An event after the end of the window arrived."""
        self._close: Callable[[], None] | None = None

    def opened(self, close: Callable[[], None]) -> None:
        """Set the function that closes the open connection."""
        self._close = close

    def end(self, reason: DisconnectReason, *, discard: bool = False, since_us: int | None = None) -> None:
        """Close the connection; the first reason, and its `since_us`, are kept.

        With `discard`, frames that are not part of a pending push yet are not used.
        """
        if self.disconnect_reason is None:
            self.disconnect_reason, self.since_us = reason, since_us
        self.is_discarded = self.is_discarded or discard
        if self._close is not None:
            self._close()

    def discard(self) -> None:
        """Use no further frame of this connection."""
        self.is_discarded = True

    def complete_window(self) -> None:
        """Record that the whole window was read; later frames are not needed."""
        self.is_window_complete = self.is_discarded = True

    def received(self, at: float) -> None:
        """Record that frames arrived at monotonic second `at`."""
        self.last_frame_at = at
        self.has_received = True

    def resume_idle_clock(self, now: float) -> None:
        """Measure silence from `now`: until then the full inbox, not the host, was the reason for none."""
        self.last_frame_at = now

    def queued(self, frames: int) -> None:
        """Count frames that entered the inbox."""
        self.unpushed += frames

    def dequeued(self, frames: int) -> None:
        """Count frames that left the inbox."""
        self.unpushed -= frames

    def progressed(self) -> None:
        """Record that a new event of this connection was pushed."""
        self.has_progress = True
