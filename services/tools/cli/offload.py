"""`archive offload`: closed hours go to the bucket; with --remove they then go from here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from services.archive.catalog import Catalog
from services.archive.paths import hour_text
from services.shared.event import Stream
from services.shared.lifecycle import stopping_on_signals
from services.tools.console import FINE, FOUND, progress, size
from services.tools.offload.bucket import Bucket
from services.tools.offload.run import Closed, Offload, closed_hours, is_old_enough, total_bytes
from services.tools.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.lifecycle import Stopping

KEEP_HOURS = 48.0
"""Longer than any look-back: `archive repair` compares with what lies here."""
STOPPED = 130


def offload(
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Then let the writer remove them here.")] = False,
    keep_hours: Annotated[
        float, typer.Option(min=KEEP_HOURS, help="With --remove: keep hours here that are younger.")
    ] = KEEP_HOURS,
) -> None:
    """Copy closed, compacted hours to the bucket of ARCHIVE_OBJECT_STORE; every copy is read back."""
    given = settings()
    bucket = Bucket(given)
    console = Console(stderr=True)
    with stopping_on_signals() as stopping:
        hours = _closed(given.root)
        console.print(
            f"{len(hours):,} closed hours of all streams go to {bucket.name}; others wait", markup=False
        )
        done = _upload(given.root, bucket, hours, stopping)
        if remove and not stopping:
            now_us = time.time_ns() // 1000
            for one in hours:
                if is_old_enough(one.hour, keep_hours, now_us) and done.hand_over(one):
                    console.print(f"the writer removes {one.stream} {hour_text(one.hour)} in its next round")
    came = done.done
    console.print(
        f"{came.uploaded:,} files ({size(came.bytes)}) uploaded and read back, {came.there:,} were there; "
        f"{came.handed_over:,} hours are handed over for removal"
    )
    if came.changed:
        console.print(f"{came.changed:,} hours were just merged anew: run this again")
    if stopping:
        console.print("Stopped; run the same command again to go on from here.")
        raise typer.Exit(STOPPED)
    raise typer.Exit(FOUND if came.changed else FINE)


def _closed(root: Path) -> list[Closed]:
    catalog = Catalog(root)
    streams = [stream for stream in Stream if stream is not Stream.GAPS]
    return [one for stream in streams for one in closed_hours(stream, catalog.names(stream))]


def _upload(root: Path, bucket: Bucket, hours: list[Closed], stopping: Stopping) -> Offload:
    with progress() as bar:
        task = bar.add_task("uploading", total=total_bytes(root, hours))
        work = Offload(root, bucket, lambda count: bar.advance(task, count))
        for one in hours:
            if stopping:
                break
            bar.update(task, description=f"{one.stream} {hour_text(one.hour)}")
            work.upload(one)
    return work
