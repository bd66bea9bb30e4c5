"""Snapshots: manifests that name files of closed hours with their SHA-256, and one hash over all of them.

`archive snapshot` writes and verifies them, and `archive pull --snapshot` copies the files that one names.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from services.archive.notes import read_rewrites
from services.archive.parquet import open_part
from services.archive.paths import (
    SNAPSHOTS,
    archive_id_path,
    hour_text,
    parse_name,
    parse_part_key,
    rewritten_path,
)
from services.shared.errors import BadInput, BrokenInvariant
from services.tools.console import instant_us, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import RemoteFile
    from services.tools.query.parts import PartFile

VERSION = 1
_BLOCK = 1 << 20


class FileEntry(msgspec.Struct, frozen=True):
    """One file."""

    path: str
    """Relative to the archive's root."""
    bytes: int
    rows: int
    sha256: str
    """Of the whole file."""


class SnapshotManifest(msgspec.Struct, frozen=True):
    """A snapshot's files and totals."""

    version: int
    name: str
    archive: str
    """The archive's id."""
    made_at: str
    hours: int
    """Number of hours with files."""
    first_hour: str
    last_hour: str
    rows: int
    bytes: int
    sha256: str
    """`content_hash` of the files: equal for the same files, whoever makes the snapshot and when."""
    files: tuple[FileEntry, ...]


def manifest_path(root: Path, name: str) -> Path:
    """Return the path of a snapshot's manifest. Raises BadInput for a name that is no file name."""
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name) or name.startswith("."):
        raise BadInput(f"{name!r} is no name for a snapshot; use letters, digits, dots and dashes")
    return root / SNAPSHOTS / name / "manifest.json"


def encode(manifest: SnapshotManifest) -> bytes:
    """Return a manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(raw: bytes, where: str) -> SnapshotManifest:
    """Decode a manifest. Raises BrokenInvariant where it is none, of another version, or was altered."""
    try:
        manifest = msgspec.json.decode(raw, type=SnapshotManifest)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(f"{where} is no manifest of a snapshot ({error})") from error
    if manifest.version != VERSION:
        raise BrokenInvariant(f"{where} has version {manifest.version}; this program reads {VERSION}")
    if content_hash(manifest.files) != manifest.sha256:
        raise BrokenInvariant(f"{where} was altered: the hash over its files is not {manifest.sha256}")
    return manifest


def read(root: Path, name: str) -> SnapshotManifest:
    """Read a snapshot's manifest. Raises BadInput where there is none."""
    path = manifest_path(root, name)
    try:
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise BadInput(f"there is no snapshot {name}; `archive snapshot list` names them") from error


def content_hash(files: Iterable[FileEntry]) -> str:
    """Return the SHA-256 over lines `<sha256>  <path>`, sorted by path, as sha256sum prints them. Pure."""
    lines = (f"{one.sha256}  {one.path}\n" for one in sorted(files, key=lambda one: one.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_hash(path: Path, read: Callable[[int], None]) -> str:
    """Return the SHA-256 of a file; `read` is called with the bytes of each block. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            read(len(block))
    return digest.hexdigest()


def manifest_of(
    root: Path, name: str, parts: Sequence[PartFile], remote: Sequence[RemoteFile], now: datetime
) -> SnapshotManifest:
    """Hash the parts and return their manifest; the hashes of remote files are those in the index."""
    with progress() as bar:
        task = bar.add_task("hashing", total=sum(part.path.stat().st_size for part in parts))
        files = [
            FileEntry(
                part.path.relative_to(root).as_posix(),
                part.path.stat().st_size,
                _rows(part.path),
                file_hash(part.path, lambda count: bar.advance(task, count)),
            )
            for part in parts
        ]
    for one in remote:
        named = parse_name(one.object.name)
        files.append(FileEntry(one.key, one.object.bytes, named.rows if named else 0, one.object.sha256))
    hours = {part.hour for part in parts} | {one.hour for one in remote}
    identity = archive_id_path(root)
    return SnapshotManifest(
        version=VERSION,
        name=name,
        archive=identity.read_text(encoding="ascii").strip() if identity.exists() else "",
        made_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        hours=len(hours),
        first_hour=hour_text(min(hours)),
        last_hour=hour_text(max(hours)),
        rows=sum(one.rows for one in files),
        bytes=sum(one.bytes for one in files),
        sha256=content_hash(files),
        files=tuple(files),
    )


def _rows(path: Path) -> int:
    with open_part(path) as part:
        return part.rows


def changed_files(root: Path, manifest: SnapshotManifest, remote: Mapping[str, Bucket]) -> dict[str, str]:
    """Return each file that differs from the manifest, with the kind of difference.

    `remote` maps the files that are only in the bucket to it. Raises Transient when the bucket does not
    answer.
    """
    changed: dict[str, str] = {}
    with progress() as bar:
        task = bar.add_task("hashing", total=manifest.bytes)
        for one in manifest.files:
            try:
                if file_hash(root / one.path, lambda count: bar.advance(task, count)) != one.sha256:
                    changed[one.path] = "altered"
            except FileNotFoundError:
                stored = remote[one.path].measure(one.path) if one.path in remote else None
                bar.advance(task, one.bytes)
                if stored is None:
                    changed[one.path] = "gone"
                elif stored.sha256 != one.sha256:
                    changed[one.path] = "altered"
            except OSError as error:
                changed[one.path] = f"unreadable: {error}"
    return changed


def rewrite_reason(root: Path, path: str) -> str:
    """Return why a missing file was rewritten; empty where the file exists or no rewrite is recorded."""
    parsed = parse_part_key(path)
    if parsed is None or (root / path).exists():
        return ""
    stream, hour, _ = parsed
    for note in read_rewrites(rewritten_path(root, stream, hour)):
        if (root / path).name in note.files:
            return f"{note.cause}: {note.rows:,} rows were removed from its hour at {instant_us(note.at_us)}"
    return ""
