"""When the ingester pauses and resumes, and that both are logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.buffer.server import Memory
from services.jetstream.backpressure import Backpressure, PauseLimits, Room, free_mb, why_paused
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.settings import IngesterSettings

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = PauseLimits(0.75, 0.55, 1000)


@pytest.mark.parametrize(
    ("share", "free", "paused", "stays"),
    [
        (0.75, None, False, False),
        (0.7501, None, False, True),
        (0.7501, None, True, True),
        (0.5501, None, True, True),
        (0.55, None, True, False),
        (1.2, None, False, True),
        (0.1, 1000, False, False),
        (0.1, 999.9, False, True),
        (0.1, 1999.9, True, True),
        (0.1, 2000, True, False),
        (0.1, 0, False, True),
    ],
)
def test_pause_above_one_limit_and_resume_below_another(
    share: float,
    free: float | None,
    paused: bool,  # noqa: FBT001 - a parameter of the table
    stays: bool,  # noqa: FBT001 - as above
) -> None:
    why = why_paused(Room(share, free), LIMITS, paused=paused)
    assert (why is not None) is stays


@given(st.floats(0, 2), st.none() | st.floats(0, 5000))
def test_after_resuming_it_does_not_pause_at_once(share: float, free: float | None) -> None:
    room = Room(share, free)
    if why_paused(room, LIMITS, paused=True) is None:
        assert why_paused(room, LIMITS, paused=False) is None


def test_the_fullest_disk_counts(tmp_path: Path) -> None:
    assert free_mb(()) is None
    found = free_mb((str(tmp_path), "/"))
    assert found is not None
    assert found <= (free_mb((str(tmp_path),)) or 0) + 100


def make(**settings: object) -> tuple[Backpressure, CollectorRegistry]:
    registry = CollectorRegistry()
    return Backpressure(IngesterSettings(**settings), IngesterMetrics(registry)), registry  # type: ignore[arg-type]


def test_backpressure_reports_changes_and_their_reason() -> None:
    backpressure, registry = make()
    steps = [(10, False), (76, True), (70, False), (56, False), (55, True), (60, False)]
    assert [backpressure.decide(Memory(used, 100)) for used, _ in steps] == [changed for _, changed in steps]
    backpressure.decide(Memory(90, 100))
    assert backpressure.paused
    assert backpressure.why is not None
    assert "90%" in backpressure.why
    assert registry.get_sample_value("archive_receive_paused") == 1
    assert registry.get_sample_value("archive_buffer_memory_share") == 0.9


def test_a_refused_push_pauses_until_the_resume_limit() -> None:
    backpressure, registry = make()
    backpressure.refused("Redis is full")
    assert (backpressure.paused, backpressure.why) == (True, "Redis is full")
    assert registry.get_sample_value("archive_receive_paused") == 1
    assert not backpressure.decide(Memory(60, 100)), "60 % is too much to resume"
    assert backpressure.decide(Memory(50, 100))
    assert (backpressure.paused, registry.get_sample_value("archive_receive_paused")) == (False, 0)


def test_a_full_disk_pauses(tmp_path: Path) -> None:
    backpressure, _ = make(ingest_watch_disks=(str(tmp_path),), archive_disk_free_min_mb=10**9)
    assert backpressure.decide(Memory(1, 100))
    assert backpressure.why is not None
    assert "MB free" in backpressure.why


def test_room_is_measured_once_a_second() -> None:
    backpressure, _ = make()
    assert [backpressure.is_due(now) for now in (5.0, 5.5, 5.99, 6.0, 6.1, 9.0, 9.5)] == [
        True, False, False, True, False, True, False,
    ]  # fmt: skip
