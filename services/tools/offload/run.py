"""Offloads hours.

Uploads their files, reads them back, indexes them, and only then hands hours over for removal.

It can be ended and repeated at any time: indexed files are not uploaded again.
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


class ClosedHour(NamedTuple):
    """An hour with compacted files only."""

    stream: Stream
    hour: int
    names: tuple[str, ...]


@dataclass
class OffloadCounts:
    """Counts of an offload."""

    uploaded: int = 0
    bytes: int = 0
    already_present: int = 0
    """Number of files that were in the bucket before."""
    handed_over: int = 0
    """Number of hours that the writer will remove here."""
    changed: int = 0
    """Number of hours that changed meanwhile and are left for the next run."""


def closed_hours(stream: Stream, hours: Mapping[int, tuple[str, ...]]) -> list[ClosedHour]:
    """Return the hours whose files are all compacted, by their names, the oldest first. Pure."""
    return [
        ClosedHour(stream, hour, names)
        for hour, names in sorted(hours.items())
        if all((name := parse_name(one)) is not None and name.is_compacted for one in names)
    ]


def is_old_enough(hour: int, keep_hours: float, now_us: int) -> bool:
    """Whether an hour ended at least `keep_hours` ago. Pure."""
    return (hour + 1) * HOUR_US <= now_us - keep_hours * HOUR_US


class Offload:
    """Copies hours to a bucket."""

    def __init__(self, root: Path, bucket: Bucket, report: Callable[[int], None]) -> None:
        self._root = root
        self._bucket = bucket
        self._report = report
        self.counts = OffloadCounts()

    def upload(self, closed: ClosedHour) -> bool:
        """Upload and index the missing files of an hour; return False when the hour changed meanwhile."""
        known = {one.name: one for one in read_index(self._root, closed.stream, closed.hour)}
        directory = hour_directory(self._root, closed.stream, closed.hour)
        try:
            for name in closed.names:
                if name in known:
                    self.counts.already_present += 1
                    self._report(known[name].bytes)
                    continue
                known[name] = self._upload(closed, directory / name)
                write_index(self._root, closed.stream, closed.hour, known.values())
        except FileNotFoundError:
            self.counts.changed += 1
            return False
        return True

    def hand_over(self, closed: ClosedHour) -> bool:
        """Let the writer remove an hour whose files are all in the bucket; return whether they are.

        Raises Transient where an object is missing or has another size.
        """
        stream, hour = closed.stream, closed.hour
        indexed = {one.name: one for one in read_index(self._root, stream, hour)}
        if (
            any(name not in indexed for name in closed.names)
            or manifest_path(self._root, stream, hour).exists()
        ):
            return False
        for name in closed.names:
            if self._bucket.size(key_of(stream, hour, name)) != indexed[name].bytes:
                raise Transient(
                    f"{self._bucket.name}/{key_of(stream, hour, name)} is no longer what was uploaded; "
                    "nothing was removed; take it out of .offloaded and run: archive offload"
                )
        try:
            write_manifest(self._root, removal_of(self._root, stream, hour, closed.names, Cause.OFFLOAD))
        except FileNotFoundError:
            self.counts.changed += 1
            return False
        self.counts.handed_over += 1
        return True

    def _upload(self, closed: ClosedHour, path: Path) -> Object:
        mine = measure(path)
        key = key_of(closed.stream, closed.hour, path.name)
        for _ in range(ATTEMPTS):
            # It may be there already: an earlier run ended before it was indexed.
            if self._bucket.size(key) != mine.bytes or not self._is_whole(key, mine):
                self._bucket.put(key, path)
                if not self._is_whole(key, mine):
                    continue
            self.counts.uploaded += 1
            self.counts.bytes += mine.bytes
            self._report(mine.bytes)
            return Object(path.name, mine.bytes, mine.sha256)
        raise Transient(f"{self._bucket.name}/{key} does not read back as it was uploaded; try again later")

    def _is_whole(self, key: str, mine: Measured) -> bool:
        return self._bucket.measure(key) == mine


def total_bytes(root: Path, hours: Iterable[ClosedHour]) -> int:
    """Return the size of all files of these hours."""
    return sum(
        _size(hour_directory(root, one.stream, one.hour) / name) for one in hours for name in one.names
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
