"""Healthy is who works or is parked on purpose; and every metric stands from the start."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry

from services.jetstream.health import GRACE_SECONDS, IngesterHealth
from services.jetstream.metrics import IngesterMetrics, Reconnect
from services.shared.event import GapReason, Reason, Stream


@pytest.mark.parametrize(
    ("state", "parked", "quiet", "works"),
    [
        ("running", None, 0, True),
        ("running", None, 30 + GRACE_SECONDS - 1, True),
        ("running", None, 30 + GRACE_SECONDS + 1, False),
        ("starting", None, 0, False),
        ("beginning again", None, 0, False),
        ("waiting for the writer to set the first cursor", None, 0, False),
        ("running", "Redis is full", 9999, True),
        ("beginning again", "Redis is full", 9999, False),
    ],
)
def test_only_who_works_is_healthy(state: str, parked: str | None, quiet: float, works: bool) -> None:  # noqa: FBT001
    health = IngesterHealth(30, state, parked, time.monotonic() - quiet)
    verdict, said = health()
    assert verdict is works
    assert works or said["reasons"]


def test_who_is_parked_says_why() -> None:
    assert IngesterHealth(30, "running", "a disk is low")() == (
        True,
        {"state": "parked", "why": "a disk is low"},
    )


def test_every_labelled_metric_is_there_before_its_first_event() -> None:
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    for name, label, values in [
        ("archive_receive_reconnects_total", "reason", Reconnect),
        ("archive_receive_gaps_total", "reason", GapReason),
        ("archive_validate_rejects_total", "reason", Reason),
        ("archive_buffer_pushed_total", "stream", Stream),
        ("archive_validate_events_total", "stream", Stream),
    ]:
        assert [registry.get_sample_value(name, {label: value}) for value in values] == [0.0] * len(values)


def test_every_metric_has_a_name_of_the_house_and_a_help() -> None:
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    for family in registry.collect():
        assert family.name.startswith(("archive_receive_", "archive_validate_", "archive_buffer_"))
        assert family.documentation.endswith(".")
