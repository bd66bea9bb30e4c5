"""Copies parts into an archive: resumes partial downloads, and checks each file before it gets its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from services.archive import footer as footers
from services.archive.durable import make_directories, publish, sync_open
from services.archive.parquet import UnreadableFile, read_footer
from services.archive.paths import STAGING
from services.shared.errors import BadInput, Transient
from services.tools.copy.snapshot_manifest import file_hash
from services.tools.verify.part_check import check_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from services.tools.copy.sources import Source
    from services.tools.query.parts import PartFile


class PartToCopy(NamedTuple):
    """A part of the source."""

    part: PartFile
    """With its path in the copy."""
    path: str
    """Relative to the root of either archive."""
    bytes: int
    sha256: str
    """Of the whole file; empty where the source does not name it, and the hash in the footer must do."""


def is_copied(wanted: PartToCopy) -> bool:
    """Whether the part was copied before. Only checked files have their final name."""
    try:
        return wanted.part.path.stat().st_size == wanted.bytes
    except FileNotFoundError:
        return False


def copy(source: Source, root: Path, wanted: PartToCopy, read: Callable[[int], None]) -> None:
    """Copy one part durably, from the byte where an earlier attempt ended; `read` is called with byte counts.

    Raises Transient where the source does not answer, FileNotFoundError where it no longer has the file, and
    BadInput where the content is not as announced; the content is deleted then.
    """
    staged = root / STAGING / "pull" / f"{hashlib.sha256(wanted.path.encode()).hexdigest()[:24]}.tmp"
    make_directories(root, staged.parent)
    start = staged.stat().st_size if staged.exists() else 0
    if start > wanted.bytes:
        staged.unlink()
        start = 0
    read(start)
    with staged.open("ab") as file:
        if start < wanted.bytes:
            for block in source.blocks(wanted.path, start):
                file.write(block)
                read(len(block))
        sync_open(file)
        if file.tell() < wanted.bytes:
            raise Transient(f"{source}: the connection ended within {wanted.path}")
    if wrong := _difference(staged, wanted):
        staged.unlink()
        raise BadInput(f"{source}: {wanted.path} is not as announced: {wrong}")
    publish(root, staged, wanted.part.path)


def not_compacted_here(mine: Iterable[PartFile], theirs: Sequence[PartToCopy]) -> list[PartToCopy]:
    """Return the parts of an hour to copy: without chunks that the copy itself has compacted meanwhile.

    `mine` are the copy's parts of that hour. Where the source compacted the hour too, all of its parts are
    taken.
    """
    if any(one.part.name.is_compacted for one in theirs):
        return list(theirs)
    compacted = {chunk for part in mine if part.name.is_compacted for chunk in _chunks(part)}
    return [one for one in theirs if one.part.name.id not in compacted]


def replaced_parts(mine: Iterable[PartFile], theirs: Iterable[PartFile]) -> list[PartFile]:
    """Return the copy's parts of an hour whose chunks are all in parts of the source, which are copied too.

    The source has compacted them. A part that the source only lost is not returned: the copy may be the last.
    """
    kept = list(theirs)
    names = {part.path for part in kept}
    chunks = {chunk for part in kept for chunk in _chunks(part)}
    return [part for part in mine if part.path not in names and _chunks(part) <= chunks]


def _chunks(part: PartFile) -> set[str]:
    try:
        return {source.chunk for source in footers.sources(read_footer(part.path), part.path.name)} or {""}
    except (FileNotFoundError, BadInput, UnreadableFile):  # its chunks are unknown
        return {""}


def _difference(staged: Path, wanted: PartToCopy) -> str | None:
    size = staged.stat().st_size
    if size != wanted.bytes:
        return f"{size} bytes, not {wanted.bytes}"
    if wanted.sha256 and file_hash(staged, lambda _count: None) != wanted.sha256:
        return "another SHA-256"
    findings = check_part(staged.parent, wanted.part._replace(path=staged), lambda _count: None).findings
    return findings[0].what if findings else None
