"""PREPARE: an hour is merged beside the datasets, made durable, and handed over with a manifest.

The manifest is written last. Nothing of the archive is touched here. Killed anywhere, what has no manifest is
swept and prepared again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from services.archive.catalog import Note, write_note
from services.archive.durable import make_directories, publish, sync_directory
from services.archive.footer import total
from services.archive.manifest import Cause, Input, SwapManifest, write_manifest
from services.archive.paths import PREPARED, STAGING, TRASH, hour_text, manifest_path, prepared_path
from services.compactor.merge import has_duplicates, merge
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.compactor.job import Job, MergeLimits
    from services.shared.event import Stream

log = structlog.get_logger()


def workshop(root: Path) -> Path:
    """Return the compactor's own staging: what is merged, and what sorting needs."""
    return root / STAGING / "compactor"


def sweep(root: Path) -> int:
    """Remove what a killed compactor left; return how many hours. For the only compactor there is."""
    left = list(workshop(root).glob("*"))
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in (root / PREPARED).glob("*/*"):
        if path.is_dir() and not path.with_name(f"{path.name}.json").exists():
            _set_aside(root, path)
            left.append(path)
    return len(left)


def is_prepared(root: Path, stream: Stream, hour: int) -> bool:
    """Whether a change of this hour waits for its swap."""
    return manifest_path(root, stream, hour).exists()


def prepare(
    root: Path,
    job: Job,
    bounds: MergeLimits,
    cause: Cause = Cause.COMPACTION,
    told: Mapping[str, str] = MappingProxyType({}),
) -> SwapManifest:
    """Merge an hour and hand it over to the stream's owner; `told` is added to its report.

    The hour must have no manifest yet. Raises as `merge` does.
    """
    folder = workshop(root) / f"{job.stream}-{hour_text(job.hour)}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        make_directories(root, folder)
        merged = merge(job, folder, workshop(root) / "sorting", bounds)
        sync_directory(folder)
        reach(CrashPoint.COMPACT_STAGED)
        place = prepared_path(root, job.stream, job.hour)
        if place.exists():
            _set_aside(root, place)
        publish(root, folder, place)
        reach(CrashPoint.COMPACT_PREPARED)
        manifest = SwapManifest(
            id=job.id,
            stream=job.stream,
            hour=job.hour,
            cause=cause,
            inputs=tuple(
                Input(file.name, file.bytes, total(file.counts, file.removed)) for file in job.files
            ),
            outputs=merged.outputs,
            removed=merged.removed,
            report={"duplicates": merged.duplicates, "dropped": merged.dropped, **told},
        )
        write_manifest(root, manifest)
        reach(CrashPoint.COMPACT_MANIFEST)
    except OSError as error:
        raise Transient(f"cannot prepare {job.directory}: {error}") from error
    log.info(
        "compact.prepared",
        stream=job.stream,
        hour=hour_text(job.hour),
        files=len(job.files),
        into=len(merged.outputs),
        rows=sum(output.rows for output in merged.outputs),
        duplicates=merged.duplicates,
        dropped=sum(merged.dropped.values()),
        bytes_before=sum(file.bytes for file in job.files),
        bytes_after=sum(output.bytes for output in merged.outputs),
    )
    return manifest


def compare(root: Path, job: Job, bounds: MergeLimits) -> bool:
    """Compare a merged hour with earlier ones; where nothing has to go that is noted, and False returned."""
    if has_duplicates(job, workshop(root) / "sorting", bounds):
        return True
    try:
        names = tuple(sorted(file.name for file in job.files))
        write_note(root, job.stream, job.hour, Note(names, tuple(sorted(job.compared))))
    except OSError as error:
        raise Transient(f"cannot note what {job.directory} was compared with: {error}") from error
    return False


def _set_aside(root: Path, prepared: Path) -> None:
    """Throw away what no manifest names. Not deleted at once: it has been in an exchange's reach."""
    thrown = root / TRASH / prepared.parent.name / f"{prepared.name}-swept-{time.time_ns()}"
    make_directories(root, thrown.parent)
    with contextlib.suppress(FileNotFoundError):  # the stream's owner, who discarded it, was faster
        os.utime(prepared)
        prepared.rename(thrown)
