"""Hours are planned again only near days that changed, and nothing that is due is missed by it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.archive import catalog
from services.archive.paths import HOUR_US
from services.archive.swap import swap_prepared
from services.compactor.tests.archives import BORDER_US, compact, hour_compactor, put
from services.data_writer.tests.feeding import traffic
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

    from services.compactor.hour_compactor import HourCompactor

HOURS = 100
FRAMES = [frame for stream, frame in traffic(100, first_us=BORDER_US) if stream == "likes"][:30]


def at(frame: bytes, hour: int) -> tuple[str, bytes]:
    """Return the event as a host sends it that assigns a time in this hour."""
    body = json.loads(frame)
    body["time_us"] = BORDER_US + hour * HOUR_US + 1
    return "likes", json.dumps(body).encode()


def identities(root: Path) -> list[str]:
    """Return the identity of every row, in order."""
    files = [str(path) for path in root.glob("raw/likes/**/*.parquet")]
    query = "SELECT concat_ws('/', did, rev, rkey, operation) AS i FROM read_parquet(?) ORDER BY i"
    return [row[0] for row in duckdb.execute(query, [files]).fetchall()]


def is_idle(hours: HourCompactor) -> bool:
    """Whether nothing is due, not even a comparison."""
    report = hours.run(close_all=True)
    return not (report.prepared or report.compared or report.refused or report.postponed)


@pytest.mark.parametrize("seed", range(3))
def test_one_that_runs_for_long_leaves_nothing_due_to_one_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(catalog, "_UNCERTAIN_NS", 0)
    rng = random.Random(seed)
    hours = hour_compactor(tmp_path)
    for number in range(8):
        first = rng.randrange(HOURS)
        some = rng.sample(FRAMES, 8)
        late = [at(frame, min(HOURS, first + rng.randrange(4))) for frame in some]
        put(tmp_path, late, epoch=1 + number // 3, host=rng.choice(("one", "two")), chunk=4)
        compact(tmp_path, hours)
        assert is_idle(hours) or is_idle(hours), "a comparison is made once"
        assert is_idle(hour_compactor(tmp_path))


def test_a_late_part_is_compared_across_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_UNCERTAIN_NS", 0)
    midnight = 24 - BORDER_US // HOUR_US % 24
    hours = hour_compactor(tmp_path)
    put(tmp_path, [at(frame, midnight) for frame in FRAMES])
    compact(tmp_path, hours)
    assert hours.run(close_all=True).compared == 0
    put(tmp_path, [at(frame, midnight - 1) for frame in FRAMES])
    assert len(identities(tmp_path)) == 2 * len(FRAMES)
    compact(tmp_path, hours)
    assert len(identities(tmp_path)) == len(set(identities(tmp_path))) == len(FRAMES)


def test_an_hour_that_waits_for_its_swap_is_planned_again_when_it_is_done(tmp_path: Path) -> None:
    put(tmp_path, [at(frame, 0) for frame in FRAMES])
    hours = hour_compactor(tmp_path)
    assert hours.run(close_all=True).prepared == 1
    assert hours.run(close_all=True).prepared == 0
    list(swap_prepared(tmp_path, Stream.LIKES))
    put(tmp_path, [at(frame, 0) for frame in FRAMES], epoch=2)
    assert hours.run(close_all=True).prepared == 1
