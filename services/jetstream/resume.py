"""Pure: where to resume on which host, and the proof that nothing lies between.

Source of the cursor's two namespaces and of the rewinds: jetstream's docs, "Cursors"; a v1 cursor is
a time, a v2 one a sequence number of that one host, and the two are never mixed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from services.shared.event import Gap, GapReason

if TYPE_CHECKING:
    from services.shared.cursor import Cursor
    from services.shared.event import Event

SAME_HOST_SLACK_US = 1_000_000
OTHER_HOST_SLACK_US = 10_000_000
"""Two hosts receive the same event up to seconds apart."""


class Rewind(NamedTuple):
    """How far to go back, in microseconds of event time."""

    same_host_us: int
    other_host_us: int


class Wish(NamedTuple):
    """What the last connection taught us about the next."""

    by_time: bool = False
    """The host's sequence numbers are not the ones we know."""
    since_us: int | None = None
    """Go back at least to here: a collection was last seen then, or the host's clock stepped back."""
    not_before_us: int | None = None
    """Going back further would meet a frame again that cannot be received."""
    skip_larger: bool = False
    jump: int = 0
    """Step the cursor itself over a frame that cannot be received: 1, 2, … for further and further."""
    note: GapReason | None = None
    """A gap row is owed, whatever the replay shows."""


class Plan(NamedTuple):
    """Where to resume."""

    host: str
    position: int
    """The `cursor` parameter: a sequence number (v2) or Unix microseconds."""
    exact: bool
    """By sequence number: the first event must be the last one pushed."""
    wish: Wish
    since: Cursor


def plan(cursor: Cursor, host: str, rewind: Rewind, wish: Wish) -> Plan:
    """Choose the position on `host` from which to go on after `cursor`."""
    same = host == cursor.host
    if same and cursor.kind == "v2" and cursor.seq is not None and not wish.by_time and wish.since_us is None:
        return Plan(host, cursor.seq + wish.jump, exact=wish.jump == 0, wish=wish, since=cursor)
    if wish.jump:
        position = cursor.time_us + 1000 * 4**wish.jump
    else:
        born_now = not cursor.host
        back = 0 if born_now else (rewind.same_host_us if same and not wish.by_time else rewind.other_host_us)
        position = min(cursor.time_us - back, cursor.time_us if wish.since_us is None else wish.since_us)
        position = max(position, min(wish.not_before_us or 0, cursor.time_us))
    # Below 10^15 a v2 host would take it for a sequence number, and v1 compares digits.
    return Plan(host, max(position, 10**15), exact=False, wish=wish, since=cursor)


class Verdict(StrEnum):
    """What a replay shows of the host."""

    OPEN = "open"
    PROVEN = "proven"
    ANOTHER_SERVER = "another_server"
    """Its sequence numbers are not ours: resume by time."""
    STEPPED_BACK = "stepped_back"
    """Its clock is behind our cursor, so it gave us its live tail: resume from further back."""
    GAP = "gap"


class Overlap:
    """Watches the first events of a connection for one we know: then nothing lies between."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._exact = plan.exact
        self.verdict = Verdict.OPEN

    def see(self, event: Event, *, known: bool) -> Verdict:
        """Look at the next event; GAP is said once, then the connection counts as proven."""
        plan, since = self._plan, self._plan.since
        if self.verdict is not Verdict.OPEN:
            return Verdict.PROVEN
        if self._exact:
            self._exact = False
            if event.identity.hex() != since.identity:
                self.verdict = Verdict.ANOTHER_SERVER
                return self.verdict
        if known or event.identity.hex() == since.identity:
            if plan.wish.note is None:
                self.verdict = Verdict.PROVEN
            return Verdict.PROVEN
        early = event.seq is None and event.time_us < plan.position - SAME_HOST_SLACK_US
        if early and since.identity and plan.wish.since_us is None:
            self.verdict = Verdict.STEPPED_BACK
            return self.verdict
        slack = SAME_HOST_SLACK_US if plan.host == since.host else OTHER_HOST_SLACK_US
        if plan.wish.note is not None or event.time_us > since.time_us + slack:
            self.verdict = Verdict.PROVEN
            return Verdict.GAP
        if not since.identity:
            # Nothing was ever received: only the times tell whether the host still had what came first.
            self.verdict = Verdict.PROVEN
        return self.verdict

    def gap(self, event: Event, now_us: int) -> Gap:
        """Make the row for a hole that `event` ends."""
        plan, since = self._plan, self._plan.since
        reason = plan.wish.note
        if reason is None:
            is_known = plan.host == since.host or not since.host
            reason = GapReason.CURSOR_TOO_OLD if is_known else GapReason.HOST_CHANGED
        return Gap(since.time_us, max(since.time_us, event.time_us), reason, plan.host, now_us)
