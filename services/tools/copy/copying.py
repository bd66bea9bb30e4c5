"""Copies parts: resumed where it broke off, checked before they are seen, then renamed into place."""

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


class Wanted(NamedTuple):
    """A part that is to be here."""

    part: PartFile
    """Where it will lie."""
    path: str
    """Below the archive's root."""
    bytes: int
    sha256: str
    """Of the whole file, or empty where only the hash in its footer tells."""


def is_here(wanted: Wanted) -> bool:
    """Whether it was copied before: nothing bears its name that was not checked."""
    try:
        return wanted.part.path.stat().st_size == wanted.bytes
    except FileNotFoundError:
        return False


def copy(source: Source, root: Path, wanted: Wanted, read: Callable[[int], None]) -> None:
    """Copy one part, going on where an earlier attempt broke off; durable when this returns.

    Raises Transient where the source does not answer, FileNotFoundError where it has the file no more,
    BadInput where what it gave is not what was wanted: then nothing of it is kept.
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
            raise Transient(f"{source} broke off in {wanted.path}")
    if wrong := _wrong(staged, wanted):
        staged.unlink()
        raise BadInput(f"{source} gave another {wanted.path} than it told of: {wrong}")
    publish(root, staged, wanted.part.path)


def not_merged_here(mine: Iterable[PartFile], theirs: Sequence[Wanted]) -> list[Wanted]:
    """Return what of an hour is to be copied: not the parts that the copy itself has compacted since.

    Where the source compacted the hour as well, its file takes the place of what it was made from.
    """
    if any(one.part.name.is_compacted for one in theirs):
        return list(theirs)
    merged = {chunk for part in mine if part.name.is_compacted for chunk in _chunks(part)}
    return [one for one in theirs if one.part.name.id not in merged]


def replaced(mine: Iterable[PartFile], theirs: Iterable[PartFile]) -> list[PartFile]:
    """Return the parts of an hour whose every chunk lies in others, which are `theirs` and here now.

    The source compacted them. What it only lost stays: it may be the last copy.
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


def _wrong(staged: Path, wanted: Wanted) -> str | None:
    size = staged.stat().st_size
    if size != wanted.bytes:
        return f"{size} bytes, not {wanted.bytes}"
    if wanted.sha256 and file_hash(staged, lambda _count: None) != wanted.sha256:
        return "another SHA-256"
    findings = check_part(staged.parent, wanted.part._replace(path=staged), lambda _count: None).findings
    return findings[0].what if findings else None
