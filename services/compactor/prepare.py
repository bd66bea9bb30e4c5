"""PREPARE: merge an hour in scratch, make it durable, and hand it to the stream's owner with a manifest.

The manifest is written last; the datasets are not touched here. After a kill at any point, a prepared
directory without a manifest is swept and the hour is prepared again.
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
from services.archive.paths import PREPARED, REPLACED, STAGING, hour_text, manifest_path, prepared_path
from services.archive.swap import mark_replaced
from services.compactor.merge import has_duplicates, merge
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.compactor.job import Job, MergeLimits
    from services.shared.event import Stream

log = structlog.get_logger()


def scratch(root: Path) -> Path:
    """Return the compactor's own staging directory: merges under way and DuckDB's spill files."""
    return root / STAGING / "compactor"


def sweep(root: Path) -> int:
    """Remove what a killed compactor left; return how many entries. The caller holds the compactor's lock."""
    left = list(scratch(root).glob("*"))
    for path in left:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in (root / PREPARED).glob("*/*"):
        if path.is_dir() and not path.with_name(f"{path.name}.json").exists():
            _move_to_replaced(root, path)
            left.append(path)
    return len(left)


def is_prepared(root: Path, stream: Stream, hour: int) -> bool:
    """Whether a change of this hour waits for its swap."""
    return manifest_path(root, stream, hour).exists()


def prepare(
    root: Path,
    job: Job,
    limits: MergeLimits,
    cause: Cause = Cause.COMPACTION,
    report: Mapping[str, str] = MappingProxyType({}),
) -> SwapManifest:
    """Merge an hour and hand it to the stream's owner; `report` is added to the manifest's report.

    The hour must have no manifest yet. Raises as `merge` does.
    """
    work_dir = scratch(root) / f"{job.stream}-{hour_text(job.hour)}"
    try:
        shutil.rmtree(work_dir, ignore_errors=True)
        make_directories(root, work_dir)
        merged = merge(job, work_dir, scratch(root) / "sorting", limits)
        sync_directory(work_dir)
        reach(CrashPoint.COMPACT_STAGED)
        prepared = prepared_path(root, job.stream, job.hour)
        if prepared.exists():
            _move_to_replaced(root, prepared)
        publish(root, work_dir, prepared)
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
            report={"duplicates": merged.duplicates, "dropped": merged.dropped, **report},
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


def compare(root: Path, job: Job, limits: MergeLimits) -> bool:
    """Return whether a merged hour holds duplicates of earlier hours; where it holds none, note that."""
    if has_duplicates(job, scratch(root) / "sorting", limits):
        return True
    try:
        names = tuple(sorted(file.name for file in job.files))
        write_note(root, job.stream, job.hour, Note(names, tuple(sorted(job.compared))))
    except OSError as error:
        raise Transient(f"cannot note what {job.directory} was compared with: {error}") from error
    return False


def _move_to_replaced(root: Path, prepared: Path) -> None:
    """Move a prepared directory without a manifest to the replaced files.

    It is not deleted at once: an exchange may have put the hour's own files into it.
    """
    replaced = root / REPLACED / prepared.parent.name / f"{prepared.name}-swept-{time.time_ns()}"
    make_directories(root, replaced.parent)
    with contextlib.suppress(FileNotFoundError):  # the stream's owner discarded and moved it first
        os.utime(prepared)
        prepared.rename(replaced)
        mark_replaced(replaced)
