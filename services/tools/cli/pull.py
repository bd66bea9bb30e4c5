"""`archive pull`: copies parts of another archive here; resumable, and each is checked before it is seen."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.archive.durable import sync_directory, write_durably
from services.archive.locks import is_owned
from services.archive.paths import ARCHIVE_ID, archive_id_path, hour_start, parse_part_key
from services.shared.errors import BadInput, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping, stopping_on_signals
from services.shared.logging import start_logs
from services.shared.retry import until_done
from services.tools.console import FINE, FOUND, console, progress, size
from services.tools.copy.copying import Wanted, copy, is_here, not_merged_here, replaced
from services.tools.copy.snapshot_manifest import decode, manifest_path
from services.tools.copy.sources import Folder, source_of
from services.tools.query.coverage import is_settled, read_coverage
from services.tools.query.parts import ALL_HOURS, PartFile, find, read_hours
from services.tools.query.tiers import BothTiers, bucket_for, only_there
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.tools.copy.sources import Source, Web
    from services.tools.offload.index import Far
    from services.tools.settings import ToolsSettings

_ATTEMPTS = 6
"""With the back-off between them about ten seconds, after which a person should look."""


def pull(
    source: Annotated[
        str,
        typer.Argument(metavar="FOLDER|URL", help="The other archive: mounted, or served by a web server."),
    ],
    *,
    hours: Annotated[str, typer.Option(help="Only these, e.g. 2026-07-04 or 2026-07-01..2026-07-04.")] = "",
    snapshot: Annotated[str, typer.Option(help="The files of this snapshot of it; needed with a URL.")] = "",
    with_open: Annotated[
        bool, typer.Option("--open", help="Also hours that are not closed yet; pull them again later.")
    ] = False,
) -> None:
    """Copy parts of another archive into ARCHIVE_ROOT; again, it goes on. Exit code 1 if some are gone."""
    given = settings()
    start_logs("archive", given.archive_log_level)
    root, other = given.root, source_of(source)
    _refuse_mixing(root, other)
    chosen = read_hours(hours) if hours else ALL_HOURS
    whole, far = _with_bucket(given, other, chosen)
    if snapshot:
        wanted = _of_snapshot(root, other, snapshot, chosen)
    elif isinstance(other, Folder):
        wanted = _of_folder(root, other, chosen, far, with_open=with_open)
    else:
        raise BadInput("name a snapshot of it: --snapshot NAME; make one there with `archive snapshot NAME`")
    offered, wanted = len(wanted), _unmerged(root, wanted)
    with stopping_on_signals() as stopping:
        gone = _copy_all(whole, root, wanted, stopping)
        if stopping:
            raise BadInput("broken off; run it again, and it goes on")
    removed = _remove_replaced(root, wanted)
    _copy_coverage(other, root, wanted)
    total = sum(one.bytes for one in wanted)
    console().print(
        f"{len(wanted) - len(gone):,} files, {size(total)}, are here and checked; {removed} were replaced"
    )
    if len(wanted) < offered:
        console().print(
            f"{offered - len(wanted):,} files were compacted here since, and are not brought again; "
            "run: archive compact --close-all"
        )
    for path in gone:
        console().print(
            f"not to be had: {path}; it was compacted meanwhile, or lost: run this again", markup=False
        )
    raise typer.Exit(FOUND if gone else FINE)


def _refuse_mixing(root: Path, other: Source) -> None:
    """Raise BadInput where files of two archives, or of a writer and a copy, would come to lie together."""
    if isinstance(other, Folder) and other.root == root:
        raise BadInput(f"{root} is the archive itself; set ARCHIVE_ROOT to where the copy shall lie")
    if any(is_owned(root, stream) for stream in Stream):
        raise BadInput(f"a writer works on {root}; a copy needs a folder of its own: set ARCHIVE_ROOT")
    theirs = other.read(ARCHIVE_ID)
    mine = archive_id_path(root)
    if theirs is not None and not mine.exists():
        write_durably(root, mine, theirs)
    elif theirs is not None and mine.read_bytes().strip() != theirs.strip():
        raise BadInput(f"{root} holds archive {mine.read_text('ascii').strip()}, and {other} is another one")


def _with_bucket(given: ToolsSettings, other: Folder | Web, hours: range) -> tuple[Source, list[Far]]:
    """Return the source with what left it for its bucket, if that can be read, and what that is."""
    if not isinstance(other, Folder):
        return other, []
    far = only_there(other.root, hours=hours)
    bucket = bucket_for(given, far, "pull")
    return (other, []) if bucket is None else (BothTiers(other, bucket, far), far)


def _of_folder(
    root: Path, other: Folder, hours: range, far: Iterable[Far], *, with_open: bool
) -> list[Wanted]:
    covered = read_coverage(other.root)
    # Only closed hours go to the bucket.
    wanted = [Wanted(_part_of(root, one.key), one.key, one.object.bytes, one.object.sha256) for one in far]
    for part in find(other.root, hours=hours).parts:
        row = covered.get((part.stream, part.hour))
        if with_open or (row is not None and is_settled(row)):
            path = part.path.relative_to(other.root).as_posix()
            wanted.append(Wanted(part._replace(path=root / path), path, part.path.stat().st_size, ""))
    if not wanted:
        raise BadInput("none of these hours is closed there; --open takes them as they are")
    return wanted


def _of_snapshot(root: Path, other: Source, name: str, hours: range) -> list[Wanted]:
    kept = manifest_path(Path(), name).as_posix()
    raw = other.read(kept)
    if raw is None:
        raise BadInput(f"{other} has no snapshot {name}; make it there with `archive snapshot {name}`")
    wanted = []
    for one in decode(raw, f"{other}/{kept}").files:
        part = _part_of(root, one.path)
        if part.hour in hours:
            wanted.append(Wanted(part, one.path, one.bytes, one.sha256))
    if hours == ALL_HOURS:
        write_durably(root, root / kept, raw)
    return wanted


def _part_of(root: Path, path: str) -> PartFile:
    """Return the part that a manifest names. Raises BadInput for a path that is no part's."""
    parsed = parse_part_key(path)
    if parsed is None:
        raise BadInput(f"the manifest names {path!r}, which is no part")
    return PartFile(root / path, *parsed)


def _copy_all(other: Source, root: Path, wanted: Sequence[Wanted], stopping: Stopping) -> list[str]:
    """Copy what is not here; return the files that the source has no more. Raises Transient in the end."""
    gone: list[str] = []
    with progress() as bar:
        task = bar.add_task("copying", total=sum(one.bytes for one in wanted))
        for one in wanted:
            if is_here(one):
                bar.advance(task, one.bytes)
                continue
            failures = count(1)

            def failed(error: Transient, failures: count[int] = failures) -> None:
                if next(failures) >= _ATTEMPTS:
                    raise error

            def work(one: Wanted = one) -> bool:
                copy(other, root, one, lambda read: bar.advance(task, read))
                return True

            try:
                until_done(work, stopping, failed)
            except FileNotFoundError:
                gone.append(one.path)
            if stopping:
                break
    return gone


def _unmerged(root: Path, wanted: Iterable[Wanted]) -> list[Wanted]:
    """Leave out what the copy has compacted by itself."""
    hours = _by_hour(wanted).items()
    return [one for at, theirs in hours for one in not_merged_here(_here(root, *at), theirs)]


def _by_hour(wanted: Iterable[Wanted]) -> dict[tuple[Stream, int], list[Wanted]]:
    found: dict[tuple[Stream, int], list[Wanted]] = defaultdict(list)
    for one in wanted:
        found[one.part.stream, one.part.hour].append(one)
    return found


def _here(root: Path, stream: Stream, hour: int) -> list[PartFile]:
    return find(root, (stream,), range(hour, hour + 1)).parts


def _remove_replaced(root: Path, wanted: Iterable[Wanted]) -> int:
    """Remove what was copied before and is part of a compacted file now; return how many files."""
    removed = 0
    for at, theirs in _by_hour(wanted).items():
        parts = [one.part for one in theirs]
        if all(part.path.exists() for part in parts):
            for part in replaced(_here(root, *at), parts):
                part.path.unlink()
                sync_directory(part.path.parent)
                removed += 1
    return removed


def _copy_coverage(other: Source, root: Path, wanted: Iterable[Wanted]) -> None:
    """Take the coverage table of these days along, so that the copy can say what is complete."""
    for day in sorted({one.part.hour // 24 for one in wanted}):
        path = f"coverage/{hour_start(day * 24):year=%Y/month=%m/day=%d}/coverage.parquet"
        content = other.read(path)
        if content is not None:
            write_durably(root, root / path, content)
