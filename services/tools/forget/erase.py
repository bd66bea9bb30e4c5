"""Erases rows: rewrites hours for the writer to swap in, deletes replaced files, and replaces objects."""

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
    from services.tools.offload.index import RemoteFile


def rewrite_hour(root: Path, stream: Stream, hour: int, condition: str, memory_mb: int) -> bool:
    """Prepare an hour without these rows, for the writer to swap in.

    Return False while it is prepared already.

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


def delete_replaced_files(folders: Iterable[Path]) -> None:
    """Delete these folders of replaced files. Raises OSError."""
    for folder in folders:
        delete_replaced(folder)


def replace_object(root: Path, bucket: Bucket, remote: RemoteFile, condition: str, memory_mb: int) -> int:
    """Replace an object by one without these rows; return the number of rows.

    An object whose file is here too is only deleted: the file here is rewritten, and the next offload
    uploads it.
    """
    work_dir = scratch(root) / "remote"
    shutil.rmtree(work_dir, ignore_errors=True)
    make_directories(root, work_dir / "in")
    make_directories(root, work_dir / "out")
    fetched = work_dir / "in" / remote.object.name
    bucket.fetch(remote.key, fetched)
    job = _job(remote.stream, remote.hour, fetched.parent, (read_file(fetched, remote.stream),), condition)
    merged = merge(job, work_dir / "out", work_dir / "sorting", MergeLimits(memory_mb))
    erased = sum(merged.dropped.values())
    if erased:
        known = [one for one in read_index(root, remote.stream, remote.hour) if one != remote.object]
        if not (hour_directory(root, remote.stream, remote.hour) / remote.object.name).exists():
            known += [_uploaded(bucket, remote, work_dir / "out" / output.name) for output in merged.outputs]
        write_index(root, remote.stream, remote.hour, known)
        bucket.delete(remote.key)
    shutil.rmtree(work_dir)
    return erased


def _uploaded(bucket: Bucket, remote: RemoteFile, path: Path) -> Object:
    local, key = measure(path), key_of(remote.stream, remote.hour, path.name)
    bucket.put(key, path)
    if bucket.measure(key) != local:
        raise Transient(f"{bucket.name}/{key} does not read back as it was uploaded; run the command again")
    return Object(path.name, local.bytes, local.sha256, remote.object.replaces or remote.object.name)


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
