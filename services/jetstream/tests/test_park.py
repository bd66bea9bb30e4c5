"""When to park and when to come back, and that it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.buffer.server import Memory
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.park import Limits, Room, free_mb, why_parked
from services.jetstream.parking import Parking
from services.jetstream.settings import IngesterSettings

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(0.75, 0.55, 1000)


@pytest.mark.parametrize(
    ("share", "free", "parked", "stays"),
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
def test_park_above_and_come_back_well_below(
    share: float,
    free: float | None,
    parked: bool,  # noqa: FBT001 - a parameter of the table
    stays: bool,  # noqa: FBT001 - as above
) -> None:
    why = why_parked(Room(share, free), LIMITS, parked=parked)
    assert (why is not None) is stays


@given(st.floats(0, 2), st.none() | st.floats(0, 5000))
def test_what_comes_back_does_not_park_at_once_again(share: float, free: float | None) -> None:
    room = Room(share, free)
    if why_parked(room, LIMITS, parked=True) is None:
        assert why_parked(room, LIMITS, parked=False) is None


def test_the_scarcest_disk_counts(tmp_path: Path) -> None:
    assert free_mb(()) is None
    found = free_mb((str(tmp_path), "/"))
    assert found is not None
    assert found <= (free_mb((str(tmp_path),)) or 0) + 100


def make(**settings: object) -> tuple[Parking, CollectorRegistry]:
    registry = CollectorRegistry()
    return Parking(IngesterSettings(**settings), IngesterMetrics(registry)), registry  # type: ignore[arg-type]


def test_parking_says_when_it_changes_and_why() -> None:
    parking, registry = make()
    steps = [(10, False), (76, True), (70, False), (56, False), (55, True), (60, False)]
    assert [parking.decide(Memory(used, 100)) for used, _ in steps] == [changed for _, changed in steps]
    parking.decide(Memory(90, 100))
    assert parking.parked
    assert parking.why is not None
    assert "90%" in parking.why
    assert registry.get_sample_value("archive_receive_parked") == 1
    assert registry.get_sample_value("archive_buffer_memory_share") == 0.9


def test_a_refused_push_parks_until_there_is_clearly_room() -> None:
    parking, registry = make()
    parking.refused("Redis is full")
    assert (parking.parked, parking.why) == (True, "Redis is full")
    assert registry.get_sample_value("archive_receive_parked") == 1
    assert not parking.decide(Memory(60, 100)), "60 % is too much to come back"
    assert parking.decide(Memory(50, 100))
    assert (parking.parked, registry.get_sample_value("archive_receive_parked")) == (False, 0)


def test_a_disk_that_runs_low_parks(tmp_path: Path) -> None:
    parking, _ = make(ingest_watch_disks=(str(tmp_path),), archive_disk_free_min_mb=10**9)
    assert parking.decide(Memory(1, 100))
    assert parking.why is not None
    assert "MB free" in parking.why


def test_it_looks_once_a_second() -> None:
    parking, _ = make()
    assert [parking.is_due(now) for now in (5.0, 5.5, 5.99, 6.0, 6.1, 9.0, 9.5)] == [
        True, False, False, True, False, True, False,
    ]  # fmt: skip
