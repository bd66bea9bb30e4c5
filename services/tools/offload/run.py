"""The work of an offload: which hours, and for each: upload, read back, note, and only then hand over.

Repeated after any end it goes on where it was: what is noted is not uploaded again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from services.archive.manifest import Cause, removal_of, write_manifest
from services.archive.paths import HOUR_US, hour_directory, manifest_path, parse_name
from services.shared.errors import Transient
from services.tools.offload.bucket import Measured, measure
from services.tools.offload.index import Object, key_of, read_index, write_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from services.shared.event import Stream
    from services.tools.offload.bucket import Bucket

ATTEMPTS = 3


class Closed(NamedTuple):
    """An hour that holds compacted files only."""

    stream: Stream
    hour: int
    names: tuple[str, ...]


@dataclass
class Done:
    """What came of it."""

    uploaded: int = 0
    bytes: int = 0
    there: int = 0
    """Files that were in the bucket before."""
    handed_over: int = 0
    """Hours that the writer will remove here."""
    changed: int = 0
    """Hours that changed meanwhile: next time."""


def closed_hours(stream: Stream, hours: Mapping[int, tuple[str, ...]]) -> list[Closed]:
    """Return the hours that are compacted, by the names in them; the oldest first."""
    return [
        Closed(stream, hour, names)
        for hour, names in sorted(hours.items())
        if all((name := parse_name(one)) is not None and name.is_compacted for one in names)
    ]


def is_old_enough(hour: int, keep_hours: float, now_us: int) -> bool:
    """Whether an hour ended longer ago than so many hours."""
    return (hour + 1) * HOUR_US <= now_us - keep_hours * HOUR_US


class Offload:
    """Brings hours to a bucket."""

    def __init__(self, root: Path, bucket: Bucket, told: Callable[[int], None]) -> None:
        self._root = root
        self._bucket = bucket
        self._told = told
        self.done = Done()

    def upload(self, closed: Closed) -> bool:
        """Upload what of an hour is not there, and note it; False when the hour changed meanwhile."""
        known = {one.name: one for one in read_index(self._root, closed.stream, closed.hour)}
        directory = hour_directory(self._root, closed.stream, closed.hour)
        try:
            for name in closed.names:
                if name in known:
                    self.done.there += 1
                    self._told(known[name].bytes)
                    continue
                known[name] = self._upload(closed, directory / name)
                write_index(self._root, closed.stream, closed.hour, known.values())
        except FileNotFoundError:
            self.done.changed += 1
            return False
        return True

    def hand_over(self, closed: Closed) -> bool:
        """Let the writer remove an hour whose files all lie verified in the bucket; whether that was so."""
        stream, hour = closed.stream, closed.hour
        noted = {one.name: one for one in read_index(self._root, stream, hour)}
        if (
            any(name not in noted for name in closed.names)
            or manifest_path(self._root, stream, hour).exists()
        ):
            return False
        for name in closed.names:
            if self._bucket.size(key_of(stream, hour, name)) != noted[name].bytes:
                raise Transient(
                    f"{self._bucket.name}/{key_of(stream, hour, name)} is no longer what was uploaded; "
                    "nothing was removed; take it out of .offloaded and run: archive offload"
                )
        try:
            write_manifest(self._root, removal_of(self._root, stream, hour, closed.names, Cause.OFFLOAD))
        except FileNotFoundError:
            self.done.changed += 1
            return False
        self.done.handed_over += 1
        return True

    def _upload(self, closed: Closed, path: Path) -> Object:
        mine = measure(path)
        key = key_of(closed.stream, closed.hour, path.name)
        for _ in range(ATTEMPTS):
            # There already, whole: an earlier run ended before it could note it.
            if self._bucket.size(key) != mine.bytes or not self._is_whole(key, mine):
                self._bucket.put(key, path)
                if not self._is_whole(key, mine):
                    continue
            self.done.uploaded += 1
            self.done.bytes += mine.bytes
            self._told(mine.bytes)
            return Object(path.name, mine.bytes, mine.sha256)
        raise Transient(f"{self._bucket.name}/{key} does not read back as it was uploaded; try again later")

    def _is_whole(self, key: str, mine: Measured) -> bool:
        return self._bucket.measure(key) == mine


def total_bytes(root: Path, hours: Iterable[Closed]) -> int:
    """Return the size of what may have to be uploaded."""
    return sum(
        _size(hour_directory(root, one.stream, one.hour) / name) for one in hours for name in one.names
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
