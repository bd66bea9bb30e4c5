"""The ledger: what this epoch was pushed, against what is in Redis and in the archive. It must come to 0.

Committed is counted from the footers, not remembered: at a start all of them are read once, beside the
work; from then on each commit and each swap is added. Rejects that encoding made count for the stream they
came from. What compaction removed, or an hour that went for good, is accounted for by those who noted it.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from services.archive.footer import Counts, accounted
from services.archive.manifest import read_removals, removed_here
from services.archive.parquet import open_part
from services.archive.paths import REMOVED, hour_directory, hour_of_text, stream_root
from services.shared.errors import ArchiveError
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from services.shared.lifecycle import Stopping

Rows = dict[Path, int]
"""Files of one epoch, and the rows that each answers for."""
log = structlog.get_logger()


class Ledger:
    """The rows committed in the present epoch by one writer, by the stream they came from."""

    def __init__(self, root: Path, streams: Iterable[Stream], stopping: Stopping) -> None:
        self._root = root
        self._streams = tuple(streams)
        self._stopping = stopping
        self._epoch: int | None = None
        self._rows: dict[Stream, Rows] = {}
        self._counts: queue.SimpleQueue[tuple[int, dict[Stream, Rows]]] = queue.SimpleQueue()
        self._is_counted = False
        self._removed: set[Path] = set()

    def open(self, epoch: int) -> None:
        """Turn to an epoch: at the first its parts are counted, at a later one there are none before ours."""
        if epoch == self._epoch:
            return
        self._is_counted = self._epoch is not None
        self._epoch = epoch
        self._rows = {stream: {} for stream in self._streams}
        if not self._is_counted:
            threading.Thread(target=self._count, args=(epoch,), name="ledger", daemon=True).start()

    def committed(self, stream: Stream, parts: Mapping[Path, int]) -> None:
        """Enter the parts of a chunk; those that are entered already stay what they are."""
        self._rows[stream].update(parts)

    def removed(self, paths: Iterable[Path]) -> None:
        """Strike parts out."""
        for path in paths:
            self._removed.add(path)
            for rows in self._rows.values():
                rows.pop(path, None)

    def swapped(self, gone: Iterable[Path], come: Iterable[Path]) -> None:
        """Strike out what a swap took away, and enter what it put there: files, or the note of a removal."""
        self.removed(gone)
        for path, counts in _read(come):
            self._removed.discard(path)
            for name, rows in counts.get(str(self._epoch), {}).items():
                if name in self._rows:
                    self._rows[Stream(name)][path] = rows

    @property
    def is_counted(self) -> bool:
        """Whether all footers have been read: until then nothing may take another's place."""
        while not self._counts.empty():
            self._enter(*self._counts.get())
        return self._is_counted

    def unaccounted(self, stream: Stream, pushed: int, held: int) -> int | None:
        """Return what is there (`held` in Redis) beyond what was `pushed`; None while still counting.

        Below 0 is loss, above 0 doubling. Only true while no chunk of the stream is committed and not acked.
        """
        return held + sum(self._rows[stream].values()) - pushed if self.is_counted else None

    def _enter(self, epoch: int, counted: Mapping[Stream, Rows]) -> None:
        """Add what was counted beside the work; what this writer did meanwhile is newer."""
        if epoch != self._epoch:
            return
        for stream, parts in counted.items():
            mine = self._rows[stream]
            for path, rows in parts.items():
                if path not in self._removed:
                    mine.setdefault(path, rows)
        self._is_counted = True

    def _count(self, epoch: int) -> None:
        found: dict[Stream, Rows] = {stream: {} for stream in self._streams}
        for path, counts in _read(_files(self._root, {*self._streams, Stream.REJECTS})):
            if self._stopping:
                return
            for name, rows in counts.get(str(epoch), {}).items():
                if name in found:
                    found[Stream(name)][path] = rows
        log.info("commit.counted", epoch=epoch, parts=sum(map(len, found.values())))
        self._counts.put((epoch, found))


def _files(root: Path, streams: Iterable[Stream]) -> Iterator[Path]:
    for stream in streams:
        for top in (stream_root(root, stream), root / REMOVED / stream.value):
            # Not rglob: a directory may go while it is walked.
            for directory, _, names in os.walk(top):
                yield from (Path(directory, name) for name in names if name.endswith((".parquet", ".json")))


def _read(paths: Iterable[Path]) -> Iterator[tuple[Path, Counts]]:
    for path in paths:
        try:
            yield path, _removed(path) if path.suffix == ".json" else _accounted(path)
        except FileNotFoundError:
            continue
        except (OSError, ArchiveError) as error:
            # Its rows count as lost, which is what they are; the writer's work does not depend on them.
            log.error("commit.unreadable", error=str(error))  # noqa: TRY400 - the message is the mend


def _accounted(path: Path) -> Counts:
    with open_part(path) as part:
        return accounted(part.footer)


def _removed(path: Path) -> Counts:
    """Return what the note of a removal accounts for; its path is `.state/removed/<stream>/<hour>.json`."""
    root, stream, hour = path.parents[2], Stream(path.parent.name), hour_of_text(path.stem)
    return removed_here(hour_directory(root, stream, hour), read_removals(path))
