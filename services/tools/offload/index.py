"""The index of objects in the bucket, and the files that are only there.

`.state/offloaded/<stream>/<hour>.json` is a list of objects. An object is added after it was read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.archive.durable import write_durably
from services.archive.manifest import Cause
from services.archive.notes import read_removals
from services.archive.paths import (
    OFFLOADED,
    REMOVED,
    hour_directory,
    hour_of_text,
    hour_text,
    part_key,
    removed_path,
)
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.shared.event import Stream


class Object(msgspec.Struct, frozen=True):
    """An object: the copy of a file of an hour."""

    name: str
    bytes: int
    sha256: str
    replaces: str = ""
    """The file that it replaces, where rows of that were erased."""


class RemoteFile(NamedTuple):
    """An object with its stream and hour."""

    stream: Stream
    hour: int
    object: Object

    @property
    def key(self) -> str:
        """Its key below the bucket's prefix, which is the file's path below the archive's root."""
        return key_of(self.stream, self.hour, self.object.name)


def key_of(stream: Stream, hour: int, name: str) -> str:
    """Return the key of a file of an hour, below the bucket's prefix."""
    return part_key(stream, hour, name)


def read_index(root: Path, stream: Stream, hour: int) -> tuple[Object, ...]:
    """Return the indexed objects of an hour. Raises OSError, or BrokenInvariant for a damaged index."""
    path = _path(root, stream, hour)
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Object, ...])
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); move it away and run: archive offload"
        ) from error


def write_index(root: Path, stream: Stream, hour: int, objects: Iterable[Object]) -> None:
    """Write the index of an hour's objects durably. Raises OSError."""
    listed = sorted(objects, key=lambda one: one.name)
    write_durably(root, _path(root, stream, hour), msgspec.json.format(msgspec.json.encode(listed)))


def indexed(root: Path, streams: Iterable[Stream]) -> Iterator[RemoteFile]:
    """Yield every indexed object of these streams. Raises as `read_index` does."""
    for stream in streams:
        for path in sorted((root / OFFLOADED / stream.value).glob("*.json")):
            hour = hour_of_text(path.stem)
            yield from (RemoteFile(stream, hour, one) for one in read_index(root, stream, hour))


def only_remote(root: Path, streams: Iterable[Stream]) -> list[RemoteFile]:
    """Return the objects whose files were removed here by an offload.

    Files that were merged into another one meanwhile are left out: their rows are here.
    """
    found: list[RemoteFile] = []
    for stream in streams:
        for path in sorted((root / REMOVED / stream.value).glob("*.json")):
            hour = hour_of_text(path.stem)
            directory = hour_directory(root, stream, hour)
            gone = {
                one.name
                for removal in read_removals(removed_path(root, stream, hour))
                if removal.cause is Cause.OFFLOAD
                for one in removal.inputs
                if not (directory / one.name).exists()
            }
            stored = read_index(root, stream, hour)
            found += [RemoteFile(stream, hour, one) for one in stored if (one.replaces or one.name) in gone]
    return found


def _path(root: Path, stream: Stream, hour: int) -> Path:
    return root / OFFLOADED / stream.value / f"{hour_text(hour)}.json"
