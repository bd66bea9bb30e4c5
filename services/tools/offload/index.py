"""What lies in the bucket, as noted beside the archive after it was verified; and what lies only there.

`.state/offloaded/<stream>/<hour>.json`, a list of objects. Nothing is noted before its bytes were read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.archive.durable import write_durably
from services.archive.manifest import Cause, read_removals
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
    """One file of an hour, in the bucket."""

    name: str
    bytes: int
    sha256: str
    replaces: str = ""
    """The file whose place it takes, where that was another one: rows of it were erased."""


class Far(NamedTuple):
    """An object that takes the place of a file that is no longer here."""

    stream: Stream
    hour: int
    object: Object

    @property
    def key(self) -> str:
        """Where it lies below the bucket's prefix: as the file lay below the archive's root."""
        return key_of(self.stream, self.hour, self.object.name)


def key_of(stream: Stream, hour: int, name: str) -> str:
    """Return where a file of an hour lies below the bucket's prefix."""
    return part_key(stream, hour, name)


def read_index(root: Path, stream: Stream, hour: int) -> tuple[Object, ...]:
    """Return what of an hour lies in the bucket. Raises OSError, or BrokenInvariant for a damaged note."""
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
    """Note, durably, what of an hour lies in the bucket. Raises OSError."""
    noted = sorted(objects, key=lambda one: one.name)
    write_durably(root, _path(root, stream, hour), msgspec.json.format(msgspec.json.encode(noted)))


def indexed(root: Path, streams: Iterable[Stream]) -> Iterator[Far]:
    """Yield every object that is noted."""
    for stream in streams:
        for path in sorted((root / OFFLOADED / stream.value).glob("*.json")):
            hour = hour_of_text(path.stem)
            yield from (Far(stream, hour, one) for one in read_index(root, stream, hour))


def only_far(root: Path, streams: Iterable[Stream]) -> list[Far]:
    """Return the objects whose files were removed here because of them.

    A file that was merged into another one meanwhile is no such: its rows are here.
    """
    found: list[Far] = []
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
            noted = read_index(root, stream, hour)
            found += [Far(stream, hour, one) for one in noted if (one.replaces or one.name) in gone]
    return found


def _path(root: Path, stream: Stream, hour: int) -> Path:
    return root / OFFLOADED / stream.value / f"{hour_text(hour)}.json"
