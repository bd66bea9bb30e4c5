"""Hours and times as users write them."""

from __future__ import annotations

import pytest

from services.shared.errors import BadInput
from services.tools.query.parts import read_hours, read_time
from services.tools.tests.making import START_HOUR, START_US


def test_hours_and_times_are_parsed() -> None:
    assert read_hours("2026-09-21T16") == range(START_HOUR, START_HOUR + 1)
    assert read_hours("2026-09-21") == range(START_HOUR - 16, START_HOUR + 8)
    assert read_hours("2026-09-21T16..2026-09-22") == range(START_HOUR, START_HOUR + 32)
    assert read_time("2026-09-21T18:00:00.000001+02:00") == START_US + 1


@pytest.mark.parametrize("text", ["", "today", "2026-13-01", "2026-09-22..2026-09-21"])
def test_an_invalid_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="write"):
        read_hours(text)
