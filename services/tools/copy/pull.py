"""The steps of `archive pull`: which parts to copy, copying them, and removing what the source replaced."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from services.archive.durable import sync_directory, write_durably
from services.archive.locks import is_owned
from services.archive.paths import ARCHIVE_ID, archive_id_path, hour_start, parse_part_key
from services.shared.errors import BadInput, Transient
from services.shared.event import Stream
from services.shared.retry import until_done
from services.tools.console import progress
from services.tools.copy.copying import PartToCopy, copy, is_copied, not_compacted_here, replaced_parts
from services.tools.copy.snapshot_manifest import decode, manifest_path
from services.tools.copy.sources import Folder
from services.tools.query.coverage import is_closed, read_coverage
from services.tools.query.parts import ALL_HOURS, PartFile, find
from services.tools.query.tiers import BothTiers, bucket_for, remote_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.shared.lifecycle import Stopping
    from services.tools.copy.sources import Source, Web
    from services.tools.offload.index import RemoteFile
    from services.tools.settings import ToolsSettings

_ATTEMPTS = 6
"""About ten seconds with the back-off between them."""


def check_target(root: Path, other: Source) -> None:
    """Raise BadInput where files of two archives, or of a writer and a copy, would be mixed in one folder."""
    if isinstance(other, Folder) and other.root == root:
        raise BadInput(f"{root} is the source itself; set ARCHIVE_ROOT to the folder for the copy")
    if any(is_owned(root, stream) for stream in Stream):
        raise BadInput(f"a writer owns {root}; a copy needs a folder of its own: set ARCHIVE_ROOT")
    theirs = other.read(ARCHIVE_ID)
    mine = archive_id_path(root)
    if theirs is not None and not mine.exists():
        write_durably(root, mine, theirs)
    elif theirs is not None and mine.read_bytes().strip() != theirs.strip():
        raise BadInput(f"{root} holds archive {mine.read_text('ascii').strip()}, and {other} is another one")


def with_bucket(given: ToolsSettings, other: Folder | Web, hours: range) -> tuple[Source, list[RemoteFile]]:
    """Return the source together with its bucket, and the files that are only there, if it can be read."""
    if not isinstance(other, Folder):
        return other, []
    remote = remote_files(other.root, hours=hours)
    bucket = bucket_for(given, remote, "pull")
    return (other, []) if bucket is None else (BothTiers(other, bucket, remote), remote)


def parts_of_folder(
    root: Path, other: Folder, hours: range, remote: Iterable[RemoteFile], *, with_open: bool
) -> list[PartToCopy]:
    """Return the parts of closed hours in a folder and its bucket. Raises BadInput where there are none."""
    covered = read_coverage(other.root)
    # Hours in the bucket are closed.
    parts = [
        PartToCopy(_part_of(root, one.key), one.key, one.object.bytes, one.object.sha256) for one in remote
    ]
    for part in find(other.root, hours=hours).parts:
        row = covered.get((part.stream, part.hour))
        if with_open or (row is not None and is_closed(row)):
            path = part.path.relative_to(other.root).as_posix()
            parts.append(PartToCopy(part._replace(path=root / path), path, part.path.stat().st_size, ""))
    if not parts:
        raise BadInput("none of these hours is closed in the source; --open copies open hours too")
    return parts


def parts_of_snapshot(root: Path, other: Source, name: str, hours: range) -> list[PartToCopy]:
    """Return the parts of a snapshot, and store its manifest in the copy if all hours are copied."""
    manifest = manifest_path(Path(), name).as_posix()
    raw = other.read(manifest)
    if raw is None:
        raise BadInput(f"{other} has no snapshot {name}; make it there with `archive snapshot {name}`")
    parts = []
    for one in decode(raw, f"{other}/{manifest}").files:
        part = _part_of(root, one.path)
        if part.hour in hours:
            parts.append(PartToCopy(part, one.path, one.bytes, one.sha256))
    if hours == ALL_HOURS:
        write_durably(root, root / manifest, raw)
    return parts


def _part_of(root: Path, path: str) -> PartFile:
    """Return the part at a path in a manifest. Raises BadInput for the path of another file."""
    parsed = parse_part_key(path)
    if parsed is None:
        raise BadInput(f"the manifest names {path!r}, which is no part")
    return PartFile(root / path, *parsed)


def without_compacted(root: Path, parts: Iterable[PartToCopy]) -> list[PartToCopy]:
    """Leave out parts that the copy itself has compacted."""
    hours = _by_hour(parts).items()
    return [one for at, theirs in hours for one in not_compacted_here(_parts_here(root, *at), theirs)]


def copy_parts(other: Source, root: Path, wanted: Sequence[PartToCopy], stopping: Stopping) -> list[str]:
    """Copy parts that are not copied yet; return the files that the source no longer has.

    Raises Transient where the source does not answer after several attempts.
    """
    gone: list[str] = []
    with progress() as bar:
        task = bar.add_task("copying", total=sum(one.bytes for one in wanted))
        for one in wanted:
            if is_copied(one):
                bar.advance(task, one.bytes)
                continue
            failures = count(1)

            def failed(error: Transient, failures: count[int] = failures) -> None:
                if next(failures) >= _ATTEMPTS:
                    raise error

            def work(one: PartToCopy = one) -> bool:
                copy(other, root, one, lambda read: bar.advance(task, read))
                return True

            try:
                until_done(work, stopping, failed)
            except FileNotFoundError:
                gone.append(one.path)
            if stopping:
                break
    return gone


def remove_replaced(root: Path, wanted: Iterable[PartToCopy]) -> int:
    """Delete parts that were copied before and are contained in a compacted file now; return their number."""
    removed = 0
    for at, theirs in _by_hour(wanted).items():
        parts = [one.part for one in theirs]
        if all(part.path.exists() for part in parts):
            for part in replaced_parts(_parts_here(root, *at), parts):
                part.path.unlink()
                sync_directory(part.path.parent)
                removed += 1
    return removed


def copy_coverage(other: Source, root: Path, wanted: Iterable[PartToCopy]) -> None:
    """Copy the coverage table of the days of these parts."""
    for day in sorted({one.part.hour // 24 for one in wanted}):
        path = f"coverage/{hour_start(day * 24):year=%Y/month=%m/day=%d}/coverage.parquet"
        content = other.read(path)
        if content is not None:
            write_durably(root, root / path, content)


def _by_hour(wanted: Iterable[PartToCopy]) -> dict[tuple[Stream, int], list[PartToCopy]]:
    found: dict[tuple[Stream, int], list[PartToCopy]] = defaultdict(list)
    for one in wanted:
        found[one.part.stream, one.part.hour].append(one)
    return found


def _parts_here(root: Path, stream: Stream, hour: int) -> list[PartFile]:
    return find(root, (stream,), range(hour, hour + 1)).parts
