"""`archive offload`: copies closed hours to the bucket; with --remove the writer then removes them here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from services.archive.catalog import Catalog
from services.archive.paths import hour_text
from services.shared.event import Stream
from services.shared.lifecycle import stopping_on_signals
from services.tools.console import FINE, FOUND, STOPPED, progress, size
from services.tools.offload.bucket import Bucket
from services.tools.offload.run import ClosedHour, Offload, closed_hours, is_old_enough, total_bytes
from services.tools.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

    from services.shared.lifecycle import Stopping

KEEP_HOURS = 48.0
"""Longer than any look-back, because `archive repair` compares events with files here."""


def offload(
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Let the writer remove copied hours here.")
    ] = False,
    keep_hours: Annotated[
        float, typer.Option(min=KEEP_HOURS, help="With --remove: keep younger hours here.")
    ] = KEEP_HOURS,
) -> None:
    """Copy closed, compacted hours to the bucket of ARCHIVE_OBJECT_STORE, and read every copy back.

    Exit code 1 if hours changed meanwhile.
    """
    given = settings()
    bucket = Bucket(given)
    console = Console(stderr=True)
    with stopping_on_signals() as stopping:
        hours = _closed(given.root)
        console.print(f"{len(hours):,} closed hours of all streams are copied to {bucket.name}", markup=False)
        work = _upload(given.root, bucket, hours, stopping)
        if remove and not stopping:
            now_us = time.time_ns() // 1000
            for one in hours:
                if is_old_enough(one.hour, keep_hours, now_us) and work.hand_over(one):
                    console.print(f"the writer removes {one.stream} {hour_text(one.hour)} in its next round")
    counts = work.counts
    console.print(
        f"{counts.uploaded:,} files ({size(counts.bytes)}) uploaded and read back, "
        f"{counts.already_present:,} were there before; "
        f"{counts.handed_over:,} hours are handed over to the writer for removal"
    )
    if counts.changed:
        console.print(f"{counts.changed:,} hours were compacted again meanwhile: run this again")
    if stopping:
        console.print("Stopped; run the same command again to go on from here.")
        raise typer.Exit(STOPPED)
    raise typer.Exit(FOUND if counts.changed else FINE)


def _closed(root: Path) -> list[ClosedHour]:
    catalog = Catalog(root)
    streams = [stream for stream in Stream if stream is not Stream.GAPS]
    return [one for stream in streams for one in closed_hours(stream, dict(catalog.all_hours(stream)))]


def _upload(root: Path, bucket: Bucket, hours: list[ClosedHour], stopping: Stopping) -> Offload:
    with progress() as bar:
        task = bar.add_task("uploading", total=total_bytes(root, hours))
        work = Offload(root, bucket, lambda count: bar.advance(task, count))
        for one in hours:
            if stopping:
                break
            bar.update(task, description=f"{one.stream} {hour_text(one.hour)}")
            work.upload(one)
    return work
