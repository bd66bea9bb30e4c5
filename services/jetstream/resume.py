"""Pure decisions: where to resume on a host, whether its replay leaves a gap, and what to re-read.

A v1 cursor is a time; a v2 cursor is a sequence number of that one host. The two are never mixed. Source of
the cursor kinds and rewinds: Jetstream's documentation, "Cursors". A v1 host may drop events where its replay
meets the live tail (jetstream-legacy issue 42), so that window is read a second time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from services.shared.cursor import Window
from services.shared.event import Gap, GapReason

if TYPE_CHECKING:
    from services.shared.cursor import Cursor
    from services.shared.event import Event

SAME_HOST_SLACK_US = 1_000_000
OTHER_HOST_SLACK_US = 10_000_000
"""Two hosts receive the same event up to seconds apart."""
SMALLEST_TIME_CURSOR = 10**15
"""A v2 host takes a smaller cursor for a sequence number, and a v1 host compares cursors as strings."""
SAMPLE_SECONDS = 2.0
REPLAY_SLOPE = 1.1
"""Event time that advances this much faster than the clock is a replay."""
MARGIN_US = 5_000_000
UNSTEADY_US = 3_000_000
"""A live tail that stalled for less (on a busy machine, for instance) catches up again: no replay."""
PROGRESS_US = 500_000
"""Catching up by more than this shows that the connection had not reached the live tail before."""
TRIES_PER_HOST = 3
REREAD_DELAY_US = 10_000_000
"""Event time to wait before a window is re-read: by then all of it is in the host's store."""


class Rewind(NamedTuple):
    """How far to go back, in microseconds of event time."""

    same_host_us: int
    other_host_us: int


class ResumeHint(NamedTuple):
    """What the last connection showed that the next one must take into account."""

    by_time: bool = False
    """The host's sequence numbers are not those of our cursor."""
    since_us: int | None = None
    """Go back at least to here: a collection was last seen then, or the host's clock stepped back."""
    not_before_us: int | None = None
    """Going back further would reach a frame again that cannot be received."""
    skip_larger: bool = False
    """Ask the host to leave out frames larger than we can receive."""
    jump: int = 0
    """Move the cursor past a frame that cannot be received: 1, 2, … moves it further and further."""
    gap_reason: GapReason | None = None
    """Write a gap row with this reason, whatever the replay shows."""


class ResumePlan(NamedTuple):
    """Where to resume."""

    host: str
    position: int
    """The `cursor` parameter: a sequence number (v2) or Unix microseconds."""
    exact: bool
    """Resume by sequence number: the first event must be the last one pushed."""
    hint: ResumeHint
    cursor: Cursor
    """The stored cursor that this plan follows."""


def resume_plan(cursor: Cursor, host: str, rewind: Rewind, hint: ResumeHint) -> ResumePlan:
    """Choose the position on `host` from which to go on after `cursor`."""
    is_same = host == cursor.host
    by_number = is_same and cursor.kind == "v2" and not hint.by_time and hint.since_us is None
    if by_number and cursor.seq is not None:
        return ResumePlan(host, cursor.seq + hint.jump, exact=hint.jump == 0, hint=hint, cursor=cursor)
    if hint.jump:
        position = cursor.time_us + 1000 * 4**hint.jump
    else:
        back_us = rewind.same_host_us if is_same and not hint.by_time else rewind.other_host_us
        if not cursor.host:  # the archive's start: there is nothing to overlap with
            back_us = 0
        position = min(cursor.time_us - back_us, cursor.time_us if hint.since_us is None else hint.since_us)
        position = max(position, min(hint.not_before_us or 0, cursor.time_us))
    return ResumePlan(host, max(position, SMALLEST_TIME_CURSOR), exact=False, hint=hint, cursor=cursor)


class ContinuityResult(StrEnum):
    """What the first events of a connection show."""

    OPEN = "open"
    PROVEN = "proven"
    ANOTHER_SERVER = "another_server"
    """The sequence numbers are not ours: resume by time."""
    STEPPED_BACK = "stepped_back"
    """The host's clock is behind our cursor, so it sent its live tail: resume from further back."""
    GAP = "gap"


class ContinuityCheck:
    """Looks among a connection's first events for a known one, which proves that none was missed."""

    def __init__(self, plan: ResumePlan) -> None:
        self._plan = plan
        self._exact = plan.exact
        self.result = ContinuityResult.OPEN

    def check(self, event: Event, *, known: bool) -> ContinuityResult:
        """Check the next event. GAP is returned once; after that the connection counts as proven."""
        plan, cursor = self._plan, self._plan.cursor
        if self.result is not ContinuityResult.OPEN:
            return ContinuityResult.PROVEN
        if self._exact:
            self._exact = False
            if event.identity.hex() != cursor.identity:
                self.result = ContinuityResult.ANOTHER_SERVER
                return self.result
        if known or event.identity.hex() == cursor.identity:
            if plan.hint.gap_reason is None:
                self.result = ContinuityResult.PROVEN
            return ContinuityResult.PROVEN
        is_early = event.seq is None and event.time_us < plan.position - SAME_HOST_SLACK_US
        if is_early and cursor.identity and plan.hint.since_us is None:
            self.result = ContinuityResult.STEPPED_BACK
            return self.result
        slack_us = SAME_HOST_SLACK_US if plan.host == cursor.host else OTHER_HOST_SLACK_US
        if plan.hint.gap_reason is not None or event.time_us > cursor.time_us + slack_us:
            self.result = ContinuityResult.PROVEN
            return ContinuityResult.GAP
        if not cursor.identity:
            # Nothing was received before: only the event's time shows whether the host has the first events.
            self.result = ContinuityResult.PROVEN
        return self.result

    def gap(self, event: Event, now_us: int) -> Gap:
        """Return the row for the gap between the cursor and `event`."""
        plan, cursor = self._plan, self._plan.cursor
        reason = plan.hint.gap_reason
        if reason is None:
            is_known = plan.host == cursor.host or not cursor.host
            reason = GapReason.CURSOR_TOO_OLD if is_known else GapReason.HOST_CHANGED
        return Gap(cursor.time_us, max(cursor.time_us, event.time_us), reason, plan.host, now_us)


class CutoverWatch:
    """Finds the cut-over from replay to live tail of one connection to a v1 host.

    In a replay event time advances faster than the clock, in the live tail as fast as the clock. That holds
    whatever time the host's clock shows.
    """

    def __init__(self, host: str, now: float) -> None:
        self._host = host
        self._sampled = now
        self._sampled_us: int | None = None
        self._fast: tuple[int, int] | None = None
        self._live_lag_us: float | None = None

    def see(self, now: float, time_us: int) -> Window | None:
        """Take the newest event time at `now` (monotonic seconds); return a window when a replay has ended.

        A replay that stalls gives one window too many, which costs some seconds of repeats; a missing window
        would cost events.
        """
        if self._sampled_us is None:
            self._sampled, self._sampled_us = now, time_us
            # A replay too short to be measured meets the live tail too.
            self._fast = (time_us, time_us)
            return None
        elapsed = now - self._sampled
        if elapsed < SAMPLE_SECONDS:
            return None
        began_us, self._sampled, self._sampled_us = self._sampled_us, now, time_us
        lag_us = now * 1e6 - time_us
        if time_us - began_us > REPLAY_SLOPE * elapsed * 1e6 and not self._is_unsteady(
            lag_us, lag_us - elapsed * 1e6 + time_us - began_us
        ):
            self._fast = (began_us, time_us)
            return None
        if self._fast is None:
            return None
        window = Window(self._fast[0] - MARGIN_US, self._fast[1] + MARGIN_US, self._host)
        self._fast = None
        self._live_lag_us = lag_us
        return window

    def _is_unsteady(self, lag_us: float, lag_before_us: float) -> bool:
        """Whether a live tail that was reached before only catches up after a short stall."""
        return (
            self._live_lag_us is not None
            and lag_before_us - self._live_lag_us < UNSTEADY_US
            and self._live_lag_us - lag_us < PROGRESS_US
        )


def window_to_reread(windows: tuple[Window, ...], newest_us: int, failures: int) -> Window | None:
    """Return a window that can be re-read now, or None; after each failure in a row the next one."""
    ready = [window for window in windows if newest_us - window.to_us > REREAD_DELAY_US]
    return ready[failures % len(ready)] if ready else None


def reread_host(window: Window, hosts: tuple[str, ...], failures: int) -> str:
    """Return the host to re-read a window from: first its own, whose times match, then each of the others."""
    candidates = [host for host in hosts if host == window.host] + [
        host for host in hosts if host != window.host
    ]
    return candidates[failures // TRIES_PER_HOST % len(candidates)]
