"""A replay that meets the live tail gives a window to re-read, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.jetstream.resume import MARGIN_US, REREAD_DELAY_US, CutoverWatch, reread_host, window_to_reread
from services.shared.cursor import Window

NOON_US = 1_783_166_400_000_000
US = 1_000_000


def watch(*steps: tuple[float, float], every: float = 0.1) -> list[Window]:
    """Return the windows of a connection; a step is (seconds, event seconds per second)."""
    watched = CutoverWatch("h", 100.0)
    now, at, found = 100.0, 0.0, list[Window]()
    watched.see(now, NOON_US)
    for seconds, speed in steps:
        for _ in range(round(seconds / every)):
            now, at = now + every, at + every * speed
            window = watched.see(now, NOON_US + int(at * US)) if speed else None
            found += [window] if window else []
    return found


def covers(window: Window, second: float) -> bool:
    """Return whether the second before an event time lies in a window."""
    return window.from_us <= NOON_US + (second - 1) * US and NOON_US + second * US <= window.to_us


@pytest.mark.parametrize(
    ("replay", "speed"),
    [(1.0, 6.0), (0.5, 12.0), (3.0, 10.0), (10.0, 3.0), (60.0, 1.7), (0.1, 300.0), (20.0, 100.0)],
)
def test_the_end_of_a_replay_lies_in_the_window(replay: float, speed: float) -> None:
    (window,) = watch((replay, speed), (30, 1.0))
    assert covers(window, replay * speed)
    assert window.host == "h"


@pytest.mark.parametrize("seconds", [4, 60, 600])
def test_a_live_tail_gives_at_most_one_window_at_its_beginning(seconds: int) -> None:
    for window in watch((seconds, 1.0)):
        assert covers(window, 1)
        assert window.to_us < NOON_US + 10 * US
    assert len(watch((seconds, 1.0))) <= 1


def test_an_unfinished_replay_gives_no_window() -> None:
    assert watch((60, 20.0)) == []


def test_a_single_event_gives_no_window() -> None:
    assert CutoverWatch("h", 0.0).see(1000.0, NOON_US) is None


def test_a_host_whose_clock_is_wrong_gives_a_window_too() -> None:
    watched = CutoverWatch("h", 0.0)
    found = [watched.see(i / 10, 5 * US + i * US // (1 if i < 50 else 10)) for i in range(200)]
    assert len([window for window in found if window]) == 1


def test_a_stall_in_the_replay_does_not_hide_its_end() -> None:
    """Redis or the disk may stall us for some seconds in the middle of a replay."""
    windows = watch((2.1, 20.0), (4, 0), (10, 20.0), (30, 1.0))
    assert any(covers(window, 242) for window in windows)


def test_short_stalls_of_a_busy_machine_give_no_window() -> None:
    stops = [(1.5, 0.0), (0.5, 4.0), (6.0, 1.0)]
    assert len(watch((10, 20.0), (10, 1.0), *stops * 20)) == 1


def test_a_stall_long_enough_to_be_a_replay_gives_a_window() -> None:
    windows = watch((10, 20.0), (10, 1.0), (8, 0.0), (2.5, 4.2), (10, 1.0))
    assert len(windows) == 2
    assert covers(windows[1], 200 + 10 + 2.5 * 4.2)


@pytest.mark.parametrize("steps", [[(30, 1.4), (20, 6.0)], [(30, 1.4)], [(60, 1.2)]])
def test_a_slow_replay_does_not_hide_its_end(steps: list[tuple[float, float]]) -> None:
    """At peak hours a host's rate limit, or our disk, permits little more than the live speed."""
    end = sum(seconds * speed for seconds, speed in steps)
    assert any(covers(window, end) for window in watch(*steps, (30, 1.0)))


@given(st.floats(1, 30), st.floats(2, 200), st.sampled_from([0.01, 0.05, 0.3, 0.7]))
def test_the_last_second_of_any_replay_is_covered(replay: float, speed: float, every: float) -> None:
    steps = round(replay / every)
    assume(steps * every * (speed - 1) >= 2)
    windows = watch((replay, speed), (20, 1.0), every=every)
    assert len(windows) == 1
    assert covers(windows[0], steps * every * speed)


FIRST, SECOND = Window(0, 100, "a"), Window(50, 200, "b")


@pytest.mark.parametrize(
    ("windows", "newest_us", "window"),
    [
        ((), 10**16, None),
        ((FIRST,), 100 + REREAD_DELAY_US, None),
        ((FIRST,), 101 + REREAD_DELAY_US, FIRST),
        ((FIRST, SECOND), 10**16, FIRST),
        ((SECOND, FIRST), 101 + REREAD_DELAY_US, FIRST),
    ],
)
def test_a_window_is_reread_once_it_lies_wholly_in_the_hosts_store(
    windows: tuple[Window, ...], newest_us: int, window: Window | None
) -> None:
    assert window_to_reread(windows, newest_us, 0) == window


def test_a_window_that_cannot_be_read_does_not_block_others() -> None:
    assert [window_to_reread((FIRST, SECOND), 10**16, failures) for failures in range(4)] == [
        FIRST,
        SECOND,
        FIRST,
        SECOND,
    ]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(("b", "a", "c"), "aaabbbccca"), (("b",), "bbbbbbbbbb"), (("b", "c"), "bbbcccbbbc")],
)
def test_a_window_is_reread_from_its_own_host_first(hosts: tuple[str, ...], expected: str) -> None:
    assert "".join(reread_host(FIRST, hosts, failures) for failures in range(10)) == expected


def test_the_margin_covers_the_second_that_a_host_may_drop() -> None:
    assert MARGIN_US > 2 * US
