"""The erasure: hours are rewritten and handed over, trash is deleted, objects are replaced."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from services.archive.catalog import File, read_file
from services.archive.durable import make_directories
from services.archive.manifest import Cause
from services.archive.paths import hour_directory
from services.compactor.job import Job, MergeLimits
from services.compactor.merge import merge
from services.compactor.prepare import is_prepared, prepare, scratch
from services.compactor.retention import delete_replaced
from services.shared.errors import Transient
from services.tools.offload.bucket import measure
from services.tools.offload.index import Object, key_of, read_index, write_index

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.shared.event import Stream
    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import Far


def rewrite_hour(root: Path, stream: Stream, hour: int, condition: str, memory_mb: int) -> bool:
    """Prepare an hour without these rows, for its owner to swap; False while another change of it waits.

    Raises Transient when a file was just replaced, DamagedFile for a damaged one.
    """
    if is_prepared(root, stream, hour):
        return False
    directory = hour_directory(root, stream, hour)
    try:
        files = tuple(read_file(path, stream) for path in sorted(directory.iterdir()))
    except FileNotFoundError as error:
        raise Transient(f"{directory} was replaced meanwhile") from error
    prepare(root, _job(stream, hour, directory, files, condition), MergeLimits(memory_mb), Cause.FORGET)
    return True


def delete_trash(folders: Iterable[Path]) -> None:
    """Delete these folders of the trash. Raises OSError."""
    for folder in folders:
        delete_replaced(folder)


def replace_object(root: Path, bucket: Bucket, far: Far, condition: str, memory_mb: int) -> int:
    """Take these rows out of an object; returns how many they were.

    What lies here too is only deleted there: its hour here is rewritten, and the next offload brings that.
    """
    bench = scratch(root) / "far"
    shutil.rmtree(bench, ignore_errors=True)
    make_directories(root, bench / "in")
    make_directories(root, bench / "out")
    fetched = bench / "in" / far.object.name
    bucket.fetch(far.key, fetched)
    job = _job(far.stream, far.hour, fetched.parent, (read_file(fetched, far.stream),), condition)
    merged = merge(job, bench / "out", bench / "sorting", MergeLimits(memory_mb))
    erased = sum(merged.dropped.values())
    if erased:
        known = [one for one in read_index(root, far.stream, far.hour) if one != far.object]
        if not (hour_directory(root, far.stream, far.hour) / far.object.name).exists():
            known += [_brought(bucket, far, bench / "out" / output.name) for output in merged.outputs]
        write_index(root, far.stream, far.hour, known)
        bucket.delete(far.key)
    shutil.rmtree(bench)
    return erased


def _brought(bucket: Bucket, far: Far, path: Path) -> Object:
    mine, key = measure(path), key_of(far.stream, far.hour, path.name)
    bucket.put(key, path)
    if bucket.measure(key) != mine:
        raise Transient(f"{bucket.name}/{key} does not read back as it was uploaded; run the same again")
    return Object(path.name, mine.bytes, mine.sha256, far.object.replaces or far.object.name)


def _job(stream: Stream, hour: int, directory: Path, files: tuple[File, ...], condition: str) -> Job:
    compared = frozenset[str]().union(*(file.compared for file in files))
    return Job(
        stream=stream,
        hour=hour,
        directory=directory,
        files=files,
        earlier=(),
        compared=compared,
        drop={"forget": condition},
    )
