"""The pipeline on the public hosts. Their events are not known beforehand, so a summary ends the run.

Redis' data and the logs are in `<archive>/.state/run/`: the next run continues where this one ended.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import duckdb
from rich.table import Table

from services.shared.event import Stream
from testing.demo.play import DemoError, RunningPipeline
from testing.demo.view import View
from testing.harness.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

INTERVAL_SECONDS = 30
OURS = ("INGEST_PORT", "WRITER_PORT", "ARCHIVE_ROOT")


def make_pipeline(archive: Path) -> Pipeline:
    """Return the pipeline, not started; environment variables (INGEST_COLLECTIONS for example) apply."""
    archive.mkdir(parents=True, exist_ok=True)
    ingest = {"INGEST_WATCH_DISKS": str(archive), **_from_environment("INGEST_")}
    write = {"WRITER_INTERVAL": str(INTERVAL_SECONDS), **_from_environment("WRITER_")}
    common = {"ARCHIVE_DISK_FREE_MIN_MB": "1024", **_from_environment("ARCHIVE_")}
    return Pipeline(archive / ".state/run", [], ingest=ingest, write=write, common=common, archive=archive)


def run(pipeline: Pipeline, console: Console, seconds: float | None) -> None:
    """Run until Ctrl-C or for `seconds`, then commit what is in Redis. Raises DemoError."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    with View(console) as view:
        running = RunningPipeline(pipeline, view)
        try:
            pipeline.start()
            phase = "live, until Ctrl-C" if seconds is None else f"live, for {seconds:g} s"
            running.wait_until(lambda: time.monotonic() > deadline, float("inf"), phase)
        except KeyboardInterrupt:
            view.note("Ctrl-C: stopping ingester, then writer")
        running.stop(pipeline.ingester, "ingester")
        running.stop(pipeline.writer, "writer")
        # A stopped writer leaves what is in Redis to its next start; commit it now, so that it can be seen.
        pipeline.writer.start("--once")
        if pipeline.writer.wait() != 0 or not running.is_committed():
            raise DemoError(
                f"not everything could be committed; the rest is in Redis; see {pipeline.writer.log}"
            )
    pipeline.redis.stop()


def summary(archive: Path) -> Table:
    """Return a table of the archive's rows, files and bytes by stream, gaps included."""
    rendered = Table("stream", title=f"The archive in {archive}")
    for name in ("rows", "files", "Parquet kB"):
        rendered.add_column(name, justify="right")
    for stream in Stream:
        parts = list((archive / "raw" / stream.value).rglob("*.parquet"))
        size = sum(part.stat().st_size for part in parts)
        rendered.add_row(stream.value, f"{_rows(parts):,}", f"{len(parts):,}", f"{size / 1e3:,.0f}")
    return rendered


def _rows(parts: list[Path]) -> int:
    if not parts:
        return 0
    with duckdb.connect() as connection:
        names = [str(part) for part in parts]
        ((rows,),) = connection.execute("SELECT count(*) FROM read_parquet(?)", [names]).fetchall()
    return int(rows)


def _from_environment(prefix: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(prefix) and name not in OURS}
