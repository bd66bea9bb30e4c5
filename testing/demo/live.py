"""The same against the public hosts, for as long as one likes: no truth is known, so a summary ends it.

Redis' data and the logs lie in `<archive>/.state/run/`: the next run goes on where this one ended.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import duckdb
from rich.table import Table

from services.shared.event import Stream
from testing.demo.stage import DemoError, Stage
from testing.demo.view import View
from testing.harness.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

INTERVAL_SECONDS = 30
OURS = ("INGEST_PORT", "WRITER_PORT", "ARCHIVE_ROOT")


def make_pipeline(archive: Path) -> Pipeline:
    """Describe the pipeline; settings of the surroundings (INGEST_COLLECTIONS, say) count here."""
    archive.mkdir(parents=True, exist_ok=True)
    ingest = {"INGEST_WATCH_DISKS": str(archive), **_surroundings("INGEST_")}
    write = {"WRITER_INTERVAL": str(INTERVAL_SECONDS), **_surroundings("WRITER_")}
    common = {"ARCHIVE_DISK_FREE_MIN_MB": "1024", **_surroundings("ARCHIVE_")}
    return Pipeline(archive / ".state/run", [], ingest=ingest, write=write, common=common, archive=archive)


def run(pipeline: Pipeline, console: Console, seconds: float | None) -> None:
    """Run until Ctrl-C, or for so many seconds; then commit what waits. Raises DemoError."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    with View(console) as view:
        stage = Stage(pipeline, view)
        try:
            pipeline.start()
            phase = "live, until Ctrl-C" if seconds is None else f"live, for {seconds:g} s"
            stage.watch(lambda: time.monotonic() > deadline, float("inf"), phase)
        except KeyboardInterrupt:
            view.note("Ctrl-C: stopping in order")
        stage.stop(pipeline.ingester, "ingester")
        stage.stop(pipeline.writer, "writer")
        # The writer leaves what waits to its next start; a person who looks now wants to see it.
        pipeline.writer.start("--once")
        if pipeline.writer.wait() != 0 or not stage.is_committed():
            raise DemoError(
                f"not everything could be committed; it waits in Redis; see {pipeline.writer.log}"
            )
    pipeline.redis.stop()


def summary(archive: Path) -> Table:
    """Count what the whole archive holds, by stream, gaps included."""
    rendered = Table("stream", title=f"The archive in {archive}")
    for name in ("rows", "parts", "Parquet kB"):
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


def _surroundings(prefix: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(prefix) and name not in OURS}
