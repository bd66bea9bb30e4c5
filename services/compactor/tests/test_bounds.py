"""What a round costs in a large archive that does not change: no memory, and no row computed again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from services.archive import catalog
from services.archive.catalog import Catalog
from services.archive.paths import HOUR_US
from services.compactor.coverage import AFTER_US, Coverage, CoverageReport
from services.compactor.tests.archives import BORDER_US, advance, compact, hour_compactor, put
from services.compactor.tests.year import build, committed, gap, note
from services.data_writer.tests.feeding import traffic
from services.shared.event import Stream
from services.shared.logging import LogOnce
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DAYS = 30
DAYS_OF_ROWS = 10
ROWS_A_DAY = 24 * len(Stream)
BYTES_A_STREAM_HOUR = 300
"""What one more may cost; it was 10,600 when every footer was kept. A year has 61,320 of these."""

ROUNDS = """
import json, pathlib, sys, tracemalloc
from services.compactor.coverage import AFTER_US, Coverage
from services.compactor.tests.archives import hour_compactor
from services.shared.logging import LogOnce
tracemalloc.start()
held, hours = [], []
for root in sys.argv[1:]:
    hours.append(hour_compactor(pathlib.Path(root), compact_neighbours=0))
    hours.append(Coverage(pathlib.Path(root), hours[-1].catalog, AFTER_US, LogOnce()))
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2):
        report = hours[-2].run()
        assert not (report.prepared or report.refused or report.postponed), report
        hours[-1].refresh(0)
    held.append(tracemalloc.get_traced_memory()[0] - before)
print(json.dumps(held))
"""


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """Two archives, both larger than the cache of footers, differ only by their number of hours."""
    roots = [tmp_path / "small", tmp_path / "large"]
    stream_hours = [build(root, days * 24, 100) for root, days in zip(roots, (DAYS // 3, DAYS), strict=True)]
    for root in roots:
        compact(root, hour_compactor(root, compact_neighbours=0))
    # The first one loads libraries, and is not counted.
    words = [sys.executable, "-c", ROUNDS, str(roots[0]), *map(str, roots)]
    ended = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    _, small, large = json.loads(ended.stdout.splitlines()[-1])
    print(f"{stream_hours[0]:,} stream-hours: {small:,} bytes; {stream_hours[1]:,}: {large:,} bytes")
    assert large - small <= BYTES_A_STREAM_HOUR * (stream_hours[1] - stream_hours[0])


def test_only_days_whose_files_or_gaps_changed_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_UNCERTAIN_NS", 0)
    build(tmp_path, DAYS_OF_ROWS * 24, 1000)
    coverage = Coverage(tmp_path, Catalog(tmp_path), AFTER_US, LogOnce())
    assert coverage.refresh(0).computed >= DAYS_OF_ROWS * ROWS_A_DAY
    assert coverage.refresh(0) == CoverageReport(), "nothing changed"
    late = [event for event in traffic(20, first_us=BORDER_US + 100 * HOUR_US) if event[0] == "likes"]
    put(tmp_path, late)
    advance(tmp_path, committed(DAYS_OF_ROWS * 24))
    changed = coverage.refresh(0)
    assert (changed.computed, changed.written) == (ROWS_A_DAY, 1), "the day of the late part"
    put(tmp_path, [note(gap(BORDER_US + 150 * HOUR_US + HOUR_US // 10))])
    advance(tmp_path, committed(DAYS_OF_ROWS * 24))
    changed = coverage.refresh(0)
    assert changed.computed <= 2 * ROWS_A_DAY, "the day of the gap, and the day in which it was noted"
    assert changed.written == 2
    advance(tmp_path, committed(DAYS_OF_ROWS * 24 - 1))
    assert coverage.refresh(0).computed <= 2 * ROWS_A_DAY, "an hour is open again"
