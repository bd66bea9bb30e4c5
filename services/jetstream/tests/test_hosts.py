"""Which host comes next, after which pause: nobody is hammered, nobody is left for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.hosts import FAILURES_PER_HOST, MISCONFIGURED_SECONDS, Next
from services.jetstream.metrics import Reconnect
from services.jetstream.resume import Wish
from services.shared.cursor import Cursor
from services.shared.event import GapReason

HOSTS = ("a", "b", "c")
HERE = Cursor(10**15, 1, 1, host="a", identity="00")


def after(*reasons: Reconnect, progress: bool = False, hosts: tuple[str, ...] = HOSTS) -> Next:
    state = Next(hosts)
    for reason in reasons:
        state.ended(reason, HERE, progress=progress, since_us=5)
    return state


@pytest.mark.parametrize(("host", "first"), [("a", "a"), ("c", "c"), ("gone", "a"), ("", "a")])
def test_the_cursors_own_host_comes_first_if_it_is_still_ours(host: str, first: str) -> None:
    state = Next(HOSTS)
    state.begin(Cursor(1, 1, 1, host=host))
    assert state.host == first


@pytest.mark.parametrize("reason", [Reconnect.CLOSED, Reconnect.UNREACHABLE, Reconnect.REFUSED])
def test_a_host_that_brings_nothing_is_left_after_two_tries(reason: Reconnect) -> None:
    visited = [after(*[reason] * tries).host for tries in range(2 * FAILURES_PER_HOST * len(HOSTS))]
    assert visited == list("aabbccaabbcc")


@pytest.mark.parametrize("reason", [Reconnect.SILENT, Reconnect.COLLECTION_SILENT, Reconnect.MISCONFIGURED])
@pytest.mark.parametrize("progress", [True, False])
def test_a_host_that_cannot_serve_us_is_left_at_once(reason: Reconnect, progress: bool) -> None:  # noqa: FBT001
    assert after(reason, progress=progress).host == "b"


@pytest.mark.parametrize(
    "reason", [Reconnect.CLOSED, Reconnect.PAUSED, Reconnect.STEPPED_BACK, Reconnect.OVERSIZE_FRAME]
)
def test_a_host_that_works_is_kept(reason: Reconnect) -> None:
    assert after(*[reason] * 9, progress=True).host == "a"


@pytest.mark.parametrize(
    ("reasons", "pause"),
    [
        ([Reconnect.CLOSED], 1),
        ([Reconnect.UNREACHABLE] * 5, 5),
        ([Reconnect.SILENT], 0),
        ([Reconnect.SILENT] * 3, 0),
        ([Reconnect.SILENT] * 4, 4),
        ([Reconnect.PAUSED], 0),
        ([Reconnect.STEPPED_OVER] * 4, 4),
    ],
)
def test_failures_in_a_row_are_backed_off(reasons: list[Reconnect], pause: int) -> None:
    assert after(*reasons).pause_after(reasons[-1]) == pause


def test_a_refusal_of_our_filters_by_every_host_is_not_hammered() -> None:
    reason = Reconnect.MISCONFIGURED
    assert after(reason).pause_after(reason) < MISCONFIGURED_SECONDS, "the next host may be less strict"
    pause = after(reason, reason, reason).pause_after(reason)
    assert (pause, type(pause)) == (MISCONFIGURED_SECONDS, float)


def test_progress_ends_the_row_of_failures() -> None:
    state = after(*[Reconnect.CLOSED] * 5)
    state.ended(Reconnect.CLOSED, HERE, progress=True)
    assert state.pause_after(Reconnect.CLOSED) == 0


@pytest.mark.parametrize(
    ("reason", "wish"),
    [
        (Reconnect.CLOSED, Wish()),
        (Reconnect.COLLECTION_SILENT, Wish(since_us=5)),
        (Reconnect.STEPPED_BACK, Wish(by_time=True, since_us=5)),
        (Reconnect.ANOTHER_SERVER, Wish(by_time=True, note=GapReason.HOST_CHANGED)),
        (Reconnect.STEPPED_OVER, Wish(not_before_us=5)),
        (Reconnect.OVERSIZE_FRAME, Wish()),
    ],
)
@pytest.mark.parametrize("progress", [True, False])
def test_what_a_connection_taught_is_wished_of_the_next(
    reason: Reconnect,
    wish: Wish,
    progress: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert after(reason, progress=progress).wish == wish


def test_a_lesson_holds_until_something_new_came_by() -> None:
    state = after(Reconnect.ANOTHER_SERVER, Reconnect.UNREACHABLE, Reconnect.CLOSED)
    assert state.wish == Wish(by_time=True, note=GapReason.HOST_CHANGED)
    state.ended(Reconnect.CLOSED, HERE, progress=True)
    assert state.wish == Wish()


def test_a_new_beginning_knows_how_far_to_go_back_and_owes_no_second_gap_row() -> None:
    state = after(Reconnect.ANOTHER_SERVER)
    state.begin(HERE)
    assert state.wish == Wish()
    state = after(Reconnect.COLLECTION_SILENT)
    state.begin(HERE)
    assert state.wish == Wish(since_us=5)
    state = after(Reconnect.OVERSIZE_FRAME, Reconnect.OVERSIZE_FRAME)
    state.begin(HERE)
    state.ended(Reconnect.OVERSIZE_FRAME, HERE, progress=False)
    assert state.wish == Wish(), "the frame may be behind us by now"


def test_a_frame_that_can_never_be_received_is_stepped_over_further_and_further() -> None:
    state = Next(("a",))
    wishes = []
    for _ in range(4):
        state.ended(Reconnect.OVERSIZE_FRAME, HERE, progress=False)
        wishes.append(state.wish)
    over = GapReason.OVERSIZE_FRAME
    assert wishes == [
        Wish(),
        Wish(skip_larger=True, note=over),
        Wish(skip_larger=True, jump=1, note=over),
        Wish(skip_larger=True, jump=2, note=over),
    ]


def test_an_oversize_frame_elsewhere_is_another_one() -> None:
    state = Next(("a",))
    state.ended(Reconnect.OVERSIZE_FRAME, HERE, progress=False)
    state.ended(Reconnect.OVERSIZE_FRAME, Cursor(10**15 + 1, 1, 2, host="a", identity="01"), progress=True)
    assert state.wish == Wish()


@given(st.lists(st.tuples(st.sampled_from(Reconnect), st.booleans())), st.integers(1, 4))
def test_there_is_always_a_host_and_a_pause_that_ends(ends: list[tuple[Reconnect, bool]], hosts: int) -> None:
    state = Next(HOSTS[:hosts])
    for reason, progress in ends:
        state.ended(reason, HERE, progress=progress, since_us=1)
        assert state.host in HOSTS
        pause = state.pause_after(reason)
        assert 0 <= pause <= max(MISCONFIGURED_SECONDS, len(ends))
        if progress:
            assert pause in (0, MISCONFIGURED_SECONDS)
