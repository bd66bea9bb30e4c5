"""The next host and the delay before it: no host is retried without a delay, none is left needlessly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.connection import DisconnectReason
from services.jetstream.hosts import FAILURES_PER_HOST, MISCONFIGURED_SECONDS, HostSelector
from services.jetstream.resume import ResumeHint
from services.shared.cursor import Cursor
from services.shared.event import GapReason

HOSTS = ("a", "b", "c")
CURSOR = Cursor(10**15, 1, 1, host="a", identity="00")


def after(*reasons: DisconnectReason, progress: bool = False, hosts: tuple[str, ...] = HOSTS) -> HostSelector:
    state = HostSelector(hosts)
    for reason in reasons:
        state.ended(reason, CURSOR, progress=progress, since_us=5)
    return state


@pytest.mark.parametrize(("host", "first"), [("a", "a"), ("c", "c"), ("removed", "a"), ("", "a")])
def test_the_cursors_host_comes_first_if_it_is_configured(host: str, first: str) -> None:
    state = HostSelector(HOSTS)
    state.begin(Cursor(1, 1, 1, host=host))
    assert state.host == first


@pytest.mark.parametrize(
    "reason", [DisconnectReason.CLOSED, DisconnectReason.UNREACHABLE, DisconnectReason.REFUSED]
)
def test_a_host_without_new_events_is_left_after_two_tries(reason: DisconnectReason) -> None:
    visited = [after(*[reason] * tries).host for tries in range(2 * FAILURES_PER_HOST * len(HOSTS))]
    assert visited == list("aabbccaabbcc")


@pytest.mark.parametrize(
    "reason", [DisconnectReason.SILENT, DisconnectReason.COLLECTION_SILENT, DisconnectReason.MISCONFIGURED]
)
@pytest.mark.parametrize("progress", [True, False])
def test_a_silent_or_misconfigured_host_is_left_at_once(reason: DisconnectReason, progress: bool) -> None:  # noqa: FBT001
    assert after(reason, progress=progress).host == "b"


@pytest.mark.parametrize(
    "reason",
    [
        DisconnectReason.CLOSED,
        DisconnectReason.PAUSED,
        DisconnectReason.STEPPED_BACK,
        DisconnectReason.OVERSIZE_FRAME,
    ],
)
def test_a_host_with_new_events_is_kept(reason: DisconnectReason) -> None:
    assert after(*[reason] * 9, progress=True).host == "a"


@pytest.mark.parametrize(
    ("reasons", "delay"),
    [
        ([DisconnectReason.CLOSED], 1),
        ([DisconnectReason.UNREACHABLE] * 5, 5),
        ([DisconnectReason.SILENT], 0),
        ([DisconnectReason.SILENT] * 3, 0),
        ([DisconnectReason.SILENT] * 4, 4),
        ([DisconnectReason.PAUSED], 0),
        ([DisconnectReason.STEPPED_OVER] * 4, 4),
    ],
)
def test_failures_in_a_row_are_backed_off(reasons: list[DisconnectReason], delay: int) -> None:
    assert after(*reasons).delay_after(reasons[-1]) == delay


def test_filters_refused_by_every_host_are_retried_once_a_minute() -> None:
    reason = DisconnectReason.MISCONFIGURED
    assert after(reason).delay_after(reason) < MISCONFIGURED_SECONDS, "the next host may be less strict"
    delay = after(reason, reason, reason).delay_after(reason)
    assert (delay, type(delay)) == (MISCONFIGURED_SECONDS, float)


def test_progress_resets_the_failures() -> None:
    state = after(*[DisconnectReason.CLOSED] * 5)
    state.ended(DisconnectReason.CLOSED, CURSOR, progress=True)
    assert state.delay_after(DisconnectReason.CLOSED) == 0


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        (DisconnectReason.CLOSED, ResumeHint()),
        (DisconnectReason.COLLECTION_SILENT, ResumeHint(since_us=5)),
        (DisconnectReason.STEPPED_BACK, ResumeHint(by_time=True, since_us=5)),
        (DisconnectReason.ANOTHER_SERVER, ResumeHint(by_time=True, gap_reason=GapReason.HOST_CHANGED)),
        (DisconnectReason.STEPPED_OVER, ResumeHint(not_before_us=5)),
        (DisconnectReason.OVERSIZE_FRAME, ResumeHint()),
    ],
)
@pytest.mark.parametrize("progress", [True, False])
def test_each_reason_gives_its_hint(
    reason: DisconnectReason,
    hint: ResumeHint,
    progress: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert after(reason, progress=progress).hint == hint


def test_a_hint_is_kept_until_there_is_progress() -> None:
    state = after(DisconnectReason.ANOTHER_SERVER, DisconnectReason.UNREACHABLE, DisconnectReason.CLOSED)
    assert state.hint == ResumeHint(by_time=True, gap_reason=GapReason.HOST_CHANGED)
    state.ended(DisconnectReason.CLOSED, CURSOR, progress=True)
    assert state.hint == ResumeHint()


def test_a_new_session_keeps_how_far_to_go_back_but_no_gap_reason() -> None:
    state = after(DisconnectReason.ANOTHER_SERVER)
    state.begin(CURSOR)
    assert state.hint == ResumeHint()
    state = after(DisconnectReason.COLLECTION_SILENT)
    state.begin(CURSOR)
    assert state.hint == ResumeHint(since_us=5)
    state = after(DisconnectReason.OVERSIZE_FRAME, DisconnectReason.OVERSIZE_FRAME)
    state.begin(CURSOR)
    state.ended(DisconnectReason.OVERSIZE_FRAME, CURSOR, progress=False)
    assert state.hint == ResumeHint(), "the frame may be before the cursor by now"


def test_a_frame_that_cannot_be_received_is_skipped_by_growing_jumps() -> None:
    state = HostSelector(("a",))
    wishes = []
    for _ in range(4):
        state.ended(DisconnectReason.OVERSIZE_FRAME, CURSOR, progress=False)
        wishes.append(state.hint)
    over = GapReason.OVERSIZE_FRAME
    assert wishes == [
        ResumeHint(),
        ResumeHint(skip_larger=True, gap_reason=over),
        ResumeHint(skip_larger=True, jump=1, gap_reason=over),
        ResumeHint(skip_larger=True, jump=2, gap_reason=over),
    ]


def test_an_oversize_frame_at_another_cursor_is_a_new_one() -> None:
    state = HostSelector(("a",))
    state.ended(DisconnectReason.OVERSIZE_FRAME, CURSOR, progress=False)
    state.ended(
        DisconnectReason.OVERSIZE_FRAME, Cursor(10**15 + 1, 1, 2, host="a", identity="01"), progress=True
    )
    assert state.hint == ResumeHint()


@given(st.lists(st.tuples(st.sampled_from(DisconnectReason), st.booleans())), st.integers(1, 4))
def test_there_is_always_a_host_and_a_finite_delay(
    ends: list[tuple[DisconnectReason, bool]], hosts: int
) -> None:
    state = HostSelector(HOSTS[:hosts])
    for reason, progress in ends:
        state.ended(reason, CURSOR, progress=progress, since_us=1)
        assert state.host in HOSTS
        delay = state.delay_after(reason)
        assert 0 <= delay <= max(MISCONFIGURED_SECONDS, len(ends))
        if progress:
            assert delay in (0, MISCONFIGURED_SECONDS)
