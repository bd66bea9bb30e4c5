"""The ingester is healthy while it works or is paused; every metric is exported from the start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.jetstream.connection import DisconnectReason
from services.jetstream.health import GRACE_SECONDS, IngesterHealth
from services.jetstream.metrics import IngesterMetrics
from services.shared.event import GapReason, Reason, Stream

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("state", "paused", "quiet", "works"),
    [
        ("running", None, 0, True),
        ("running", None, 30 + GRACE_SECONDS - 1, True),
        ("running", None, 30 + GRACE_SECONDS + 1, False),
        ("starting", None, 0, False),
        ("retrying", None, 0, False),
        ("waiting for the writer to set the first cursor", None, 0, False),
        ("running", "Redis is full", 9999, True),
        ("retrying", "Redis is full", 9999, False),
    ],
)
def test_only_a_running_or_paused_ingester_is_healthy(
    state: str,
    paused: str | None,
    quiet: float,
    works: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    health = IngesterHealth(30, state, paused, time.monotonic() - quiet)
    is_healthy, facts = health()
    assert is_healthy is works
    assert works or facts["reasons"]


def test_a_paused_ingester_reports_why() -> None:
    assert IngesterHealth(30, "running", "a disk is low")() == (
        True,
        {"state": "paused", "why": "a disk is low"},
    )


def test_every_label_value_is_exported_from_the_start() -> None:
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    for name, label, values in [
        ("archive_receive_reconnects_total", "reason", DisconnectReason),
        ("archive_receive_gaps_total", "reason", GapReason),
        ("archive_validate_rejects_total", "reason", Reason),
        ("archive_buffer_pushed_total", "stream", Stream),
        ("archive_validate_events_total", "stream", Stream),
    ]:
        assert [registry.get_sample_value(name, {label: value}) for value in values] == [0.0] * len(values)


def test_hosts_disks_and_limits_are_exported_before_the_first_connection(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = IngesterMetrics(registry)
    metrics.limits(86_400.0, 30.0, 1024)
    metrics.places(("near", "far"), (str(tmp_path),))
    shown = registry.get_sample_value
    assert [shown("archive_receive_host", {"host": host}) for host in ("near", "far")] == [0, 0]
    assert (shown("archive_receive_disk_free_bytes", {"disk": str(tmp_path)}) or 0) > 0
    assert shown("archive_receive_disk_reserve_bytes") == 1.024e9
    assert shown("archive_receive_look_back_seconds") == 86_400
    assert shown("archive_receive_quiet_limit_seconds") == 30


def test_every_metric_has_a_stage_prefix_and_a_help_text() -> None:
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    for family in registry.collect():
        assert family.name.startswith(("archive_receive_", "archive_validate_", "archive_buffer_"))
        assert family.documentation.endswith(".")
