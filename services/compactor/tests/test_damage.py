"""A damaged file costs its own hour: compaction, retention, coverage and the purge go on with the rest."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.archive.catalog import Catalog
from services.archive.coverage import State, coverage_path, read_coverage
from services.archive.manifest import Cause, read_manifest
from services.archive.paths import HOUR_US, hour_directory, manifest_path, removed_path, replaced_path
from services.compactor.coverage import AFTER_US, Coverage, refresh_coverage
from services.compactor.health import CompactorHealth
from services.compactor.loop import Compactor
from services.compactor.metrics import CompactorMetrics
from services.compactor.tests.archives import BORDER_US, advance, put, settings_of
from services.compactor.tests.year import gap, note
from services.data_writer.tests.feeding import traffic
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream
from services.shared.lifecycle import Stopping
from services.shared.logging import LogOnce

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = BORDER_US // HOUR_US
NOW_US = time.time_ns() // 1000


class OneRound(Stopping):
    """Stops the first wait, and with it the loop."""

    def sleep(self, seconds: float) -> bool:
        """Stop."""
        self.set()
        return super().sleep(seconds)


def truncated(whole: bytes) -> bytes:
    return whole[:-100]


def corrupt_footer(whole: bytes) -> bytes:
    """Overwrite the Thrift of the footer; its length and the magic number stay."""
    (length,) = struct.unpack("<I", whole[-8:-4])
    return b"".join((whole[: -8 - length], b"\xff" * length, whole[-8:]))


def empty(_whole: bytes) -> bytes:
    return b""


DAMAGES = pytest.mark.parametrize("damage", [truncated, corrupt_footer, empty])


def archive(root: Path) -> None:
    """Make an archive of five hours with a gap in the fourth."""
    put(root, [note(Gap(0, BORDER_US, GapReason.ARCHIVE_START, "host", BORDER_US + 4 * HOUR_US))])
    put(root, [note(gap(BORDER_US + 3 * HOUR_US + 60_000_000))])
    put(root, traffic(1000, first_us=BORDER_US, rate=1000 / (5 * 3600)))
    advance(root, Cursor(time_us=BORDER_US + 9 * HOUR_US, epoch=1, push=9))


def replaced_file(root: Path) -> Path:
    """Make a folder of replaced files that is due for the purge."""
    folder = replaced_path(root, Stream.LIKES, FIRST, "old")
    folder.mkdir(parents=True)
    os.utime(folder, (1, 1))
    return folder


@DAMAGES
@pytest.mark.parametrize(("stream", "hour"), [(Stream.LIKES, 2), (Stream.GAPS, 0)])
def test_every_task_goes_on_beside_a_damaged_file(
    tmp_path: Path, stream: Stream, hour: int, damage: Callable[[bytes], bytes]
) -> None:
    archive(tmp_path)
    path = max(hour_directory(tmp_path, stream, FIRST + hour).iterdir())
    path.write_bytes(damage(path.read_bytes()))
    folder, registry, health = replaced_file(tmp_path), CollectorRegistry(), CompactorHealth()
    expires_us = BORDER_US + HOUR_US + HOUR_US // 2
    settings = settings_of(
        tmp_path, compact_replaced_hours=0, archive_retention_days=(NOW_US - expires_us) / 24 / HOUR_US
    )
    metrics = CompactorMetrics(registry)
    compactor = Compactor(settings, metrics, health, OneRound())
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            compactor._stopping = OneRound()  # noqa: SLF001 - one compactor, two rounds
            compactor.run()
    assert health()[0], health()
    causes = {}
    for one in Stream:
        for at in range(5):
            manifest = manifest_path(tmp_path, one, FIRST + at)
            causes[one, at] = read_manifest(manifest).cause if manifest.exists() else None
    assert causes[Stream.POSTS, 0] is causes[Stream.LIKES, 0] is Cause.RETENTION
    assert causes[Stream.POSTS, 2] is causes[Stream.LIKES, 3] is Cause.COMPACTION
    assert causes[stream, hour] is None
    rows = {(row.stream, row.hour - FIRST): row for row in read_coverage(tmp_path)}
    assert rows[Stream.POSTS, 2].state is State.CLOSED
    assert rows[Stream.POSTS, 2].rows > 0
    assert not folder.exists()
    assert registry.get_sample_value("archive_compact_refused_hours") == 1
    refused = [line for line in lines if line["event"] == "compact.refused"]
    assert [str(path) in line["error"] for line in refused] == [True], "it is logged once, by its name"


@DAMAGES
def test_a_damaged_file_of_gaps_does_not_make_a_partial_hour_closed(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    archive(tmp_path)
    refresh_coverage(tmp_path, NOW_US)
    before = read_coverage(tmp_path)
    assert {row.hour - FIRST for row in before if row.state is State.PARTIAL} >= {3}
    path = min(hour_directory(tmp_path, Stream.GAPS, FIRST).iterdir())
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    refresh_coverage(tmp_path, NOW_US)
    after = read_coverage(tmp_path)
    assert [row for row in after if row.stream is not Stream.GAPS] == [
        row for row in before if row.stream is not Stream.GAPS
    ]
    path.unlink()
    refresh_coverage(tmp_path, NOW_US)
    assert {row.hour - FIRST for row in read_coverage(tmp_path) if row.state is State.PARTIAL} <= {0}


@DAMAGES
def test_a_damaged_coverage_table_is_rebuilt(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive(tmp_path)
    coverage = Coverage(tmp_path, Catalog(tmp_path), AFTER_US, LogOnce())
    coverage.refresh(NOW_US)
    before = read_coverage(tmp_path)
    path = coverage_path(tmp_path, FIRST // 24)
    path.write_bytes(damage(path.read_bytes()))
    with structlog.testing.capture_logs() as lines:
        coverage.refresh(NOW_US)
        coverage.refresh(NOW_US)
    assert read_coverage(tmp_path) == before
    assert [line["event"] for line in lines] == ["coverage.rebuilt"]


def test_a_stray_or_damaged_note_on_a_removed_hour_costs_nothing_else(tmp_path: Path) -> None:
    archive(tmp_path)
    refresh_coverage(tmp_path, NOW_US)
    before = read_coverage(tmp_path)
    for hour in (FIRST + 1, FIRST + 90):
        noted = removed_path(tmp_path, Stream.LIKES, hour)
        noted.parent.mkdir(parents=True, exist_ok=True)
        noted.write_text("no JSON")
    noted.with_name("notes.json").touch()
    with structlog.testing.capture_logs() as lines:
        coverage = Coverage(tmp_path, Catalog(tmp_path), AFTER_US, LogOnce())
        coverage.refresh(NOW_US)
        coverage.refresh(NOW_US)
    assert [row for row in read_coverage(tmp_path) if row.hour < FIRST + 90] == before
    assert len([line for line in lines if line["event"] == "compact.refused"]) == 2
