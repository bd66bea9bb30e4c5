"""Where to resume, and what the first events show: no gap, or a gap row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.resume import (
    OTHER_HOST_SLACK_US,
    SAME_HOST_SLACK_US,
    ContinuityCheck,
    ContinuityResult,
    ResumeHint,
    ResumePlan,
    Rewind,
    resume_plan,
)
from services.shared.cursor import Cursor
from services.shared.event import Event, GapReason, Stream

T = 1_783_166_400_000_000
US = 1_000_000
REWIND = Rewind(5 * US, 30 * US)
V1 = Cursor(T, 1, 9, "n", "a", "v1", None, bytes(16).hex())
V2 = Cursor(T, 1, 9, "n", "a", "v2", 777, bytes(16).hex())
START = Cursor(T, 1, 0)


@pytest.mark.parametrize(
    ("cursor", "host", "hint", "position", "exact"),
    [
        (START, "a", ResumeHint(), T, False),
        (V1, "a", ResumeHint(), T - 5 * US, False),
        (V1, "b", ResumeHint(), T - 30 * US, False),
        (V2, "a", ResumeHint(), 777, True),
        (V2, "b", ResumeHint(), T - 30 * US, False),
        (V2, "a", ResumeHint(by_time=True), T - 30 * US, False),
        (V2, "a", ResumeHint(since_us=T - 90 * US), T - 90 * US, False),
        (V1, "a", ResumeHint(since_us=T - 90 * US), T - 90 * US, False),
        (V1, "a", ResumeHint(since_us=T + 90 * US), T - 5 * US, False),
        (V1, "b", ResumeHint(not_before_us=T - US), T - US, False),
        (V2, "a", ResumeHint(jump=1), 778, False),
        (V2, "a", ResumeHint(jump=3), 780, False),
        (V1, "a", ResumeHint(jump=1), T + 4000, False),
        (V1, "a", ResumeHint(jump=2), T + 16_000, False),
        (V2, "b", ResumeHint(jump=1), T + 4000, False),
        (Cursor(5, 1, 0), "a", ResumeHint(), 10**15, False),
    ],
)
def test_the_position_follows_from_cursor_host_and_wish(
    cursor: Cursor,
    host: str,
    hint: ResumeHint,
    position: int,
    exact: bool,  # noqa: FBT001
) -> None:
    assert resume_plan(cursor, host, REWIND, hint) == ResumePlan(host, position, exact, hint, cursor)


@given(
    st.sampled_from([START, V1, V2]),
    st.sampled_from(["a", "b"]),
    st.builds(
        ResumeHint,
        st.booleans(),
        st.none() | st.integers(0, 2 * T),
        st.none(),
        st.booleans(),
        st.just(0),
        st.none(),
    ),
)
def test_without_a_jump_no_event_after_the_cursor_is_skipped(
    cursor: Cursor, host: str, hint: ResumeHint
) -> None:
    found = resume_plan(cursor, host, REWIND, hint)
    if found.position < 10**15:
        assert (found.position, found.exact, host) == (cursor.seq, True, cursor.host)
    else:
        assert found.position <= cursor.time_us, "the cursor's own event is received again"


def test_an_older_cursor_is_resumed_from_itself_despite_a_later_hint() -> None:
    """Redis' volume was lost: the cursor is older than the end of the last gap."""
    assert resume_plan(V1, "a", REWIND, ResumeHint(not_before_us=T + 60 * US)).position <= T


def event(time_us: int, number: int = 1, seq: int | None = None) -> Event:
    return Event(Stream.LIKES, time_us, seq, number.to_bytes(16, "big"), b"{}", "c")


LAST = event(T, 0)


def check(cursor: Cursor, host: str = "a", hint: ResumeHint = ResumeHint()) -> ContinuityCheck:  # noqa: B008 - immutable
    return ContinuityCheck(resume_plan(cursor, host, REWIND, hint))


@pytest.mark.parametrize("host", ["a", "b"])
def test_the_last_pushed_event_proves_continuity(host: str) -> None:
    one = check(V1, host)
    assert one.check(event(T - 2 * US), known=False) is ContinuityResult.OPEN
    assert one.check(LAST, known=False) is ContinuityResult.PROVEN
    assert one.check(event(T + 3600 * US), known=False) is ContinuityResult.PROVEN, "proven is final"


def test_any_known_event_proves_continuity() -> None:
    one = check(V1)
    assert one.check(event(T - 4 * US, 5), known=True) is ContinuityResult.PROVEN
    assert one.check(event(T + 60 * US, 6), known=False) is ContinuityResult.PROVEN


@pytest.mark.parametrize(
    ("host", "slack", "reason"),
    [("a", SAME_HOST_SLACK_US, GapReason.CURSOR_TOO_OLD), ("b", OTHER_HOST_SLACK_US, GapReason.HOST_CHANGED)],
)
def test_a_replay_that_begins_after_the_cursor_is_one_gap(host: str, slack: int, reason: GapReason) -> None:
    one = check(V1, host)
    assert one.check(event(T + slack), known=False) is ContinuityResult.OPEN
    first = event(T + slack + 1, 2)
    assert one.check(first, known=False) is ContinuityResult.GAP
    gap = one.gap(first, now_us=4)
    assert (gap.from_us, gap.to_us, gap.reason, gap.host, gap.received_at) == (
        T,
        T + slack + 1,
        reason,
        host,
        4,
    )
    assert one.check(event(T + 2 * slack + 9, 3), known=False) is ContinuityResult.PROVEN, (
        "the gap is returned once"
    )


def test_by_sequence_number_the_first_event_must_be_the_last_one_pushed() -> None:
    assert check(V2).check(event(T, 0, 777), known=False) is ContinuityResult.PROVEN
    for known in (True, False):
        one = check(V2)
        assert one.check(event(T, 5, 777), known=known) is ContinuityResult.ANOTHER_SERVER
        assert one.result is ContinuityResult.ANOTHER_SERVER


def test_an_event_well_before_the_position_means_that_the_clock_stepped_back() -> None:
    one = check(V1)
    assert one.check(event(T - 5 * US - SAME_HOST_SLACK_US), known=False) is ContinuityResult.OPEN
    assert (
        check(V1).check(event(T - 5 * US - SAME_HOST_SLACK_US - 1), known=False)
        is ContinuityResult.STEPPED_BACK
    )
    again = check(V1, hint=ResumeHint(by_time=True, since_us=T - 90 * US))
    assert again.check(event(T - 100 * US), known=False) is ContinuityResult.OPEN, "we went back on purpose"


def test_a_v2_host_may_begin_an_hour_early() -> None:
    one = check(V2, "b")
    assert one.check(event(T - 3600 * US, 3, seq=5), known=False) is ContinuityResult.OPEN


@pytest.mark.parametrize("cursor", [V1, V2])
def test_a_required_gap_row_is_written_with_the_first_new_event(cursor: Cursor) -> None:
    one = check(cursor, hint=ResumeHint(by_time=True, gap_reason=GapReason.HOST_CHANGED))
    assert one.check(event(T - 3 * US, 8), known=True) is ContinuityResult.PROVEN
    first = event(T - US, 2)
    assert one.check(first, known=False) is ContinuityResult.GAP
    gap = one.gap(first, 1)
    assert (gap.from_us, gap.to_us, gap.reason) == (T, T, GapReason.HOST_CHANGED), (
        "a gap never has a negative length"
    )
    assert one.check(event(T + 9 * US, 3), known=False) is ContinuityResult.PROVEN


@given(st.lists(st.tuples(st.integers(-20, 40), st.booleans()), min_size=1), st.sampled_from(["a", "b"]))
def test_every_possible_gap_is_reported(steps: list[tuple[int, bool]], host: str) -> None:
    """An event later than cursor and slack, with no known event before it, leaves a gap row."""
    one = check(V1, host)
    slack = SAME_HOST_SLACK_US if host == "a" else OTHER_HOST_SLACK_US
    results: list[ContinuityResult] = []
    for number, (second, known) in enumerate(steps, 1):
        results.append(one.check(event(T + second * US, number), known=known))
        if results[-1] is ContinuityResult.STEPPED_BACK:
            return
    assert results.count(ContinuityResult.GAP) <= 1
    if ContinuityResult.GAP not in results:
        first_late = next((i for i, (s, _) in enumerate(steps) if s * US > slack), None)
        first_known = next((i for i, (_, known) in enumerate(steps) if known), len(steps))
        assert first_late is None or first_known <= first_late


@pytest.mark.parametrize(
    ("late_us", "result"),
    [
        (0, ContinuityResult.PROVEN),
        (OTHER_HOST_SLACK_US, ContinuityResult.PROVEN),
        (OTHER_HOST_SLACK_US + 1, ContinuityResult.GAP),
    ],
)
def test_a_host_without_the_first_events_of_an_archive_leaves_a_gap(
    late_us: int, result: ContinuityResult
) -> None:
    one = ContinuityCheck(resume_plan(START, "a", REWIND, ResumeHint()))
    event = Event(Stream.POSTS, T + late_us, None, bytes(16), b"", "app.bsky.feed.post")
    assert one.check(event, known=False) is result
    assert one.gap(event, T).reason is GapReason.CURSOR_TOO_OLD
    assert one.check(event, known=False) is ContinuityResult.PROVEN
