"""The one back-off: what passes is tried again, what does not is told, and a stop is no failure."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared import retry
from services.shared.errors import BrokenInvariant, Transient
from services.shared.lifecycle import Stopping
from services.shared.retry import FIRST_SECONDS, LONGEST_SECONDS, back_off, until_done


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.001)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (7, 64.0), (8, 120.0), (9, 120.0), (10**9, 120.0)]
)
def test_the_longest_pause_doubles_up_to_a_ceiling(
    attempt: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", FIRST_SECONDS)
    longest = back_off(attempt, lambda: 1.0)
    assert longest == seconds * FIRST_SECONDS
    assert longest <= LONGEST_SECONDS


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_jitter_never_leaves_the_bounds(attempt: int, drawn: float) -> None:
    assert 0 <= back_off(attempt, lambda: drawn) <= LONGEST_SECONDS


def test_what_succeeds_is_done_once() -> None:
    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        return "done"

    assert until_done(work, Stopping(), lambda _: None) == "done"
    assert calls == [1]


def test_what_is_transient_is_repeated_and_each_time_told() -> None:
    calls: list[int] = []
    told: list[str] = []

    def work() -> int:
        calls.append(1)
        if len(calls) < 4:
            raise Transient(f"not now {len(calls)}")
        return len(calls)

    assert until_done(work, Stopping(), lambda error: told.append(str(error))) == 4
    assert told == ["not now 1", "not now 2", "not now 3"]


def test_what_a_person_must_mend_ends_it() -> None:
    def work() -> None:
        raise BrokenInvariant("mend me")

    with pytest.raises(BrokenInvariant, match="mend me"):
        until_done(work, Stopping(), lambda _: None)


def test_a_stop_ends_the_pause_at_once_and_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "back_off", lambda _attempt: 60.0)
    stopping = Stopping()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        raise Transient("not now")

    began = time.monotonic()
    assert until_done(work, stopping, lambda _: stopping.set()) is None
    assert time.monotonic() - began < 10
    assert len(calls) <= 2, "one more try, not an endless row of them"
