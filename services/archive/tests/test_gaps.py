"""A repair closes what it went through, and nothing more."""

from __future__ import annotations

import pytest

from services.archive.gaps import Interval, what_is_left
from services.shared.event import GapReason

OLD = GapReason.CURSOR_TOO_OLD


@pytest.mark.parametrize(
    ("hole", "repairs", "left"),
    [
        ((10, 20), [], [(10, 20)]),
        ((10, 20), [(0, 30)], []),
        ((10, 20), [(10, 20)], []),
        ((10, 20), [(12, 14)], [(10, 12), (14, 20)]),
        ((10, 20), [(5, 12), (18, 25)], [(12, 18)]),
        ((10, 20), [(10, 15), (15, 20)], []),
        ((10, 20), [(30, 40)], [(10, 20)]),
        ((10, 10), [(5, 15)], []),
        ((10, 10), [(11, 15)], [(10, 10)]),
    ],
)
def test_what_repairs_leave(hole: Interval, repairs: list[Interval], left: list[Interval]) -> None:
    assert what_is_left(OLD, hole, repairs) == left


def test_a_repair_is_no_hole_and_start_stays() -> None:
    assert what_is_left(GapReason.REPAIRED, (10, 20), []) == []
    assert what_is_left(GapReason.ARCHIVE_START, (0, 20), [(5, 25)]) == [(0, 20)]
