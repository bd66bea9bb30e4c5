"""The present code reads the sample of every released version, and continues from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

from services.archive.parquet import read_footer
from services.archive.schema import SCHEMA_VERSION, SCHEMAS
from services.shared.event import Stream
from testing.harness.host import Host
from testing.proof.audit import audit
from testing.proof.golden.sample import Sample, sample_path, unpack, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

EVENTS = 200


def test_the_present_version_has_a_sample_with_its_schemas(tmp_path: Path) -> None:
    """Fails for a column that is added without a new version, and for a version without a sample."""
    assert sample_path(SCHEMA_VERSION).exists(), "a new schema version: run python -m testing.proof.golden"
    sample = unpack(SCHEMA_VERSION, tmp_path)
    for stream in Stream:
        parts = list((sample.archive / "raw" / stream).rglob("*.parquet"))
        assert parts, stream
        for part in parts:
            assert read_footer(part)["archive.schema_version"] == str(SCHEMA_VERSION)
            assert ds.dataset(part).schema.equals(SCHEMAS[stream]), part


@pytest.mark.parametrize("version", versions())
def test_a_sample_is_small_and_was_killed_in_an_ack(tmp_path: Path, version: int) -> None:
    assert sample_path(version).stat().st_size < 100_000
    saved = (unpack(version, tmp_path).folder / "redis.json").read_text()
    assert '"archive:claim:likes:100"' in saved
    assert '"archive:buffer:' in saved
    assert '"archive:recent"' in saved


@pytest.mark.parametrize("version", versions())
def test_claims_and_cursor_of_an_older_version_are_continued(
    pipeline: Pipelines, tmp_path: Path, version: int
) -> None:
    sample = unpack(version, tmp_path / "sample")
    host = Host({"file": str(sample.frames), "rate": "200", "kind": "v2"})
    host.first_us, host.started = _first_us(sample), time.time() - 1
    running = pipeline(host)
    running.archive = sample.archive
    host.start()
    running.redis.start()
    with running.tools() as tools:
        sample.restore(tools, host.address)
    running.configure()
    before = running.distinct()
    assert EVENTS // 2 <= before < EVENTS
    running.writer.start()
    running.ingester.start()
    running.wait_pushed(EVENTS, 60)
    running.wait_committed(60)
    for daemon in (running.ingester, running.writer):
        assert daemon.stop() == 0, f"see {daemon.log}"
    assert running.writer.logged("claim.recovered")
    verdict = audit(running.root, sample.truth())
    assert verdict.passed, str(verdict)
    assert verdict.uncompared["gaps"] == 1, "only the archive's start"
    _all_readers_agree(running.root, {name: one.archive for name, one in verdict.streams.items()})


def _first_us(sample: Sample) -> int:
    (_, frame), *_ = sample.truth()
    return int(duckdb.execute("SELECT (?::JSON ->> 'time_us')::BIGINT", [frame.decode()]).fetchall()[0][0])


def _all_readers_agree(root: Path, rows: dict[str, int]) -> None:
    """Parts of all versions are one dataset in every reader."""
    for stream, count in rows.items():
        pattern, schema = f"{root}/raw/{stream}/**/*.parquet", SCHEMAS[Stream(stream)]
        counted = duckdb.execute("SELECT count(*) FROM read_parquet(?, union_by_name = true)", [pattern])
        assert counted.fetchall() == [(count,)]
        frame = pl.scan_parquet(pattern, hive_partitioning=True, missing_columns="insert").collect()
        assert frame.height == count
        table = ds.dataset(root / "raw" / stream, schema=schema, partitioning="hive").to_table()
        assert table.num_rows == count
        assert set(schema.names) <= set(frame.columns)
