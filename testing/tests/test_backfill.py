"""Backfilled samples: their times, rising counters, and text that promtool accepts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from testing.monitoring.backfill import A_DAY, DAYS, Past, write

if TYPE_CHECKING:
    from pathlib import Path

END = 1_795_000_000


def test_samples_are_dense_in_the_last_day_and_sparse_before() -> None:
    times = Past(END).times()
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert set(steps) == {15, 300}
    assert sum(at >= END - A_DAY for at in times) == A_DAY // 15
    assert DAYS * A_DAY - 900 < END - times[0] <= DAYS * A_DAY


def test_every_sample_is_written_once_and_counters_only_rise(tmp_path: Path) -> None:
    series = [
        {"__name__": "archive_a_total", "stream": 'po"sts'},
        {"__name__": "archive_b_bucket", "le": "0.1"},
        {"__name__": "archive_b_bucket", "le": "+Inf"},
        {"__name__": "archive_c", "job": "x"},
    ]
    written = write(tmp_path, series, Past(END))
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(tmp_path.iterdir()):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[-1] == "# EOF"
        for line in lines[:-1]:
            name, value, at = line.rsplit(" ", 2)
            found.setdefault(name, []).append((int(at), float(value)))
    assert written == sum(map(len, found.values())) == len(series) * len(Past(END).times())
    for name, points in found.items():
        assert [at for at, _ in points] == Past(END).times()
        if not name.startswith("archive_c"):
            assert all(later >= earlier for (_, earlier), (_, later) in pairwise(points)), name
    assert found['archive_b_bucket{le="+Inf"}'][-1][1] > found['archive_b_bucket{le="0.1"}'][-1][1]
