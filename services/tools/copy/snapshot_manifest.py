"""A manifest: which files an archive holds for some hours, with their hashes; one hash stands for all of it.

It is what `snapshot` writes, `snapshot verify` checks years later, and `pull` copies by.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from services.archive.paths import SNAPSHOTS
from services.shared.errors import BadInput, BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

VERSION = 1
_BLOCK = 1 << 20


class FileEntry(msgspec.Struct, frozen=True):
    """One part."""

    path: str
    """Below the archive's root."""
    bytes: int
    rows: int
    sha256: str
    """Of the whole file."""


class SnapshotManifest(msgspec.Struct, frozen=True):
    """What a snapshot names."""

    version: int
    name: str
    archive: str
    """The archive's id."""
    made_at: str
    hours: int
    """Hours that the files are of."""
    first_hour: str
    last_hour: str
    rows: int
    bytes: int
    sha256: str
    """`content_hash` of the files: the same for the same content, whenever and by whomever it is made."""
    files: tuple[FileEntry, ...]


def manifest_path(root: Path, name: str) -> Path:
    """Return where a snapshot lies: outside every dataset. Raises BadInput for what is no file name."""
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name) or name.startswith("."):
        raise BadInput(f"{name!r} is no name for a snapshot; use letters, digits, dots and dashes")
    return root / SNAPSHOTS / name / "manifest.json"


def encode(manifest: SnapshotManifest) -> bytes:
    """Form on the disk."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(raw: bytes, where: str) -> SnapshotManifest:
    """Read a manifest. Raises BrokenInvariant for what is none, or was altered: its hash tells."""
    try:
        manifest = msgspec.json.decode(raw, type=SnapshotManifest)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(f"{where} is no manifest of a snapshot ({error})") from error
    if manifest.version != VERSION:
        raise BrokenInvariant(
            f"{where} is a manifest of version {manifest.version}; this program knows {VERSION}"
        )
    if content_hash(manifest.files) != manifest.sha256:
        raise BrokenInvariant(f"{where} was altered: its files do not come to the hash {manifest.sha256}")
    return manifest


def content_hash(files: Iterable[FileEntry]) -> str:
    """Return the hash over lines `<sha256>  <path>`, sorted by path, as sha256sum writes them. Pure."""
    lines = (f"{one.sha256}  {one.path}\n" for one in sorted(files, key=lambda one: one.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_hash(path: Path, read: Callable[[int], None]) -> str:
    """Return the SHA-256 of a whole file; `read` is told of the bytes as they are read. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            read(len(block))
    return digest.hexdigest()
