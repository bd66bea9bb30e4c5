"""The back-off: transient errors are retried, others raised, and a stop ends the retries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared import retry
from services.shared.errors import BrokenInvariant, Transient
from services.shared.lifecycle import Stopping
from services.shared.retry import FIRST_SECONDS, LONGEST_SECONDS, back_off, until_done


class RecordingStopping(Stopping):
    """Records each sleep and whether a stop ended it."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps: list[tuple[float, bool]] = []

    def sleep(self, seconds: float) -> bool:
        """Sleep, and record it."""
        stopped = super().sleep(seconds)
        self.sleeps.append((seconds, stopped))
        return stopped


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.001)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (7, 64.0), (8, 120.0), (9, 120.0), (10**9, 120.0)]
)
def test_the_longest_wait_doubles_up_to_a_limit(
    attempt: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", FIRST_SECONDS)
    longest = back_off(attempt, lambda: 1.0)
    assert longest == seconds * FIRST_SECONDS
    assert longest <= LONGEST_SECONDS


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_jitter_stays_within_bounds(attempt: int, drawn: float) -> None:
    assert 0 <= back_off(attempt, lambda: drawn) <= LONGEST_SECONDS


def test_work_that_succeeds_is_done_once() -> None:
    calls: list[int] = []

    def work() -> str:
        calls.append(1)
        return "done"

    assert until_done(work, Stopping(), lambda _: None) == "done"
    assert calls == [1]


def test_transient_errors_are_retried_and_reported() -> None:
    calls: list[int] = []
    reported: list[str] = []

    def work() -> int:
        calls.append(1)
        if len(calls) < 4:
            raise Transient(f"not now {len(calls)}")
        return len(calls)

    assert until_done(work, Stopping(), lambda error: reported.append(str(error))) == 4
    assert reported == ["not now 1", "not now 2", "not now 3"]


def test_a_broken_invariant_ends_the_retries() -> None:
    def work() -> None:
        raise BrokenInvariant("fix this")

    with pytest.raises(BrokenInvariant, match="fix this"):
        until_done(work, Stopping(), lambda _: None)


def test_a_stop_ends_the_wait_and_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "back_off", lambda _attempt: 60.0)
    stopping = RecordingStopping()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        raise Transient("not now")

    assert until_done(work, stopping, lambda _: stopping.set()) is None
    assert stopping.sleeps == [(60.0, True)], "the stop ended the wait"
    assert calls == [1], "and no attempt follows it"
