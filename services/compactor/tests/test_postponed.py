"""Nothing is merged while the ingester is paused or the disk is low; nobody to ask is no reason to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.archive.paths import HOUR_US
from services.compactor import postponed as postponed_module
from services.compactor.postponed import short_of_space, why_paused
from services.compactor.tests.archives import BORDER_US, hour_compactor, put
from services.compactor.tests.test_merge import job
from services.data_writer.tests.feeding import traffic
from services.jetstream.health import IngesterHealth
from services.shared.event import Stream
from services.shared.probes import serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"state": "paused", "why": "Redis is 80 % full"}, "the ingester is paused: Redis is 80 % full"),
        ({"state": "running"}, ""),
        ({"state": "waiting for a cursor"}, ""),
        ({}, ""),
    ],
)
def test_only_an_ingester_that_reports_it_is_paused(said: dict[str, object], why: str) -> None:
    assert why_paused(said) == why


def test_nothing_is_merged_while_the_ingester_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postponed_module, "POLL_SECONDS", 0.0)
    put(tmp_path, traffic(100, first_us=BORDER_US))
    health = IngesterHealth(15.0, state="running", paused="the archive's disk is low")
    with serving(0, CollectorRegistry(), health) as port:
        hours = hour_compactor(tmp_path, compact_jetstream_url=f"http://127.0.0.1:{port}/healthz")
        found = hours.run(close_all=True)
        assert (found.prepared, found.error) == (0, "")
        assert "the archive's disk is low" in found.postponed
        health.paused = None
        assert hours.run(close_all=True).prepared > 0


def test_an_ingester_that_is_down_or_unhealthy_postpones_nothing(tmp_path: Path) -> None:
    put(tmp_path, traffic(100, first_us=BORDER_US))
    with serving(0, CollectorRegistry(), IngesterHealth(15.0)) as port:
        hours = hour_compactor(tmp_path, compact_jetstream_url=f"http://127.0.0.1:{port}/healthz")
        assert hours.run(close_all=True).prepared > 0
    put(tmp_path, traffic(100, first_us=BORDER_US + HOUR_US))
    assert hours.run(close_all=True).prepared > 0


def test_space_is_needed_for_sorting_and_the_new_files(tmp_path: Path) -> None:
    put(tmp_path, traffic(100, first_us=BORDER_US))
    one = job(tmp_path, Stream.LIKES)
    needed = 1000 + 4 * sum(file.bytes for file in one.files)
    assert short_of_space(one, needed, 1000) == ""
    assert "are needed" in short_of_space(one, needed - 1, 1000)
