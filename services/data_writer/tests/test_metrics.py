"""Every metric of the writer is exported from the start."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from services.data_writer.metrics import WriterMetrics
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path


def test_every_stream_is_exported_before_its_first_event(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = WriterMetrics(registry, tuple(Stream))
    metrics.limits(300.0, tmp_path, 1024)
    shown = registry.get_sample_value
    for stream in Stream:
        by: dict[str, str] = {"stream": stream}
        for name in ("claim_taken_total", "claim_recovered_total", "commit_rows_total", "commit_parts_total"):
            assert shown(f"archive_{name}", by) == 0
        assert math.isnan(shown("archive_commit_newest_event_timestamp_seconds", by) or 0)
        assert math.isnan(shown("archive_unaccounted_events", by) or 0)
    assert shown("archive_claim_gaps_total", {"reason": "checkpoints_lost"}) == 0
    assert shown("archive_claim_interval_seconds") == 300
    assert shown("archive_commit_disk_reserve_bytes") == 1.024e9
    assert shown("archive_commit_disk_size_bytes") == shutil.disk_usage(tmp_path).total
    assert shown("archive_commit_disk_free_bytes")


def test_every_metric_is_named_after_its_stage_and_has_a_help() -> None:
    registry = CollectorRegistry()
    WriterMetrics(registry, tuple(Stream))
    stages = (
        "archive_buffer_",
        "archive_claim_",
        "archive_encode_",
        "archive_commit_",
        "archive_unaccounted_",
    )
    for family in registry.collect():
        assert family.name.startswith(stages)
        assert family.documentation.endswith(".")
