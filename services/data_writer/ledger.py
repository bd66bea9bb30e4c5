"""The ledger: the events pushed in this epoch, compared with those in Redis and in the archive.

Committed rows are counted from the footers of the files: at the first round all of them are read once, in a
thread, and from then on every commit and swap is added. Rejects that encoding made count for the stream they
came from. Compacted files account for the rows they lost as duplicates, notes for hours that were removed.
"""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from services.archive.footer import Counts, accounted
from services.archive.notes import read_removals, removed_here
from services.archive.parquet import open_part
from services.archive.paths import REMOVED, hour_directory, hour_of_text, stream_root
from services.shared.errors import ArchiveError, BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from services.shared.lifecycle import Stopping

Rows = dict[Path, int]
"""The rows of one epoch that each file accounts for."""
log = structlog.get_logger()


class Ledger:
    """The rows that one writer committed in the present epoch, by the stream they came from."""

    def __init__(self, root: Path, streams: Iterable[Stream], stopping: Stopping) -> None:
        self.error: str | None = None
        """Why counting failed; only a restart of the writer tries again."""
        self.unreadable: set[Path] = set()
        """Parts and notes that could not be read since the start; their rows count as missing."""
        self._root = root
        self._streams = tuple(streams)
        self._stopping = stopping
        self._epoch: int | None = None
        self._rows: dict[Stream, Rows] = {}
        self._counts: queue.SimpleQueue[tuple[int, dict[Stream, Rows]]] = queue.SimpleQueue()
        self._is_counted = False
        self._removed: set[Path] = set()

    def open(self, epoch: int) -> None:
        """Switch to an epoch: the files of the first are counted, a later one has none before our own."""
        if epoch == self._epoch:
            return
        self._is_counted = self._epoch is not None
        self._epoch = epoch
        self._rows = {stream: {} for stream in self._streams}
        if not self._is_counted:
            threading.Thread(target=self._count, args=(epoch,), name="ledger", daemon=True).start()

    def committed(self, stream: Stream, parts: Mapping[Path, int]) -> None:
        """Add the parts of a chunk and their rows; a part that is committed again counts once."""
        self._rows[stream].update(parts)

    def removed(self, paths: Iterable[Path]) -> None:
        """Remove files."""
        for path in paths:
            self._removed.add(path)
            for rows in self._rows.values():
                rows.pop(path, None)

    def swapped(self, deleted: Iterable[Path], added: Iterable[Path]) -> None:
        """Remove the files that a swap deleted; add those that it added, or the note of a removal."""
        self.removed(deleted)
        for path, counts in self._read(added):
            self._removed.discard(path)
            for name, rows in counts.get(str(self._epoch), {}).items():
                if name in self._rows:
                    self._rows[Stream(name)][path] = rows

    @property
    def is_counted(self) -> bool:
        """Whether all footers have been read. No hour may be swapped before."""
        while not self._counts.empty():
            self._enter(*self._counts.get())
        return self._is_counted

    def unaccounted(self, stream: Stream, pushed: int, held: int) -> int | None:
        """Return the events in Redis (`held`) and archive minus those `pushed`; None before all are counted.

        Below 0 is loss, above 0 doubling. Valid only while no chunk of the stream is committed but not acked.
        """
        return held + sum(self._rows[stream].values()) - pushed if self.is_counted else None

    def _enter(self, epoch: int, counted: Mapping[Stream, Rows]) -> None:
        """Add what the thread counted, except where a commit or a swap was later."""
        if epoch != self._epoch:
            return
        for stream, parts in counted.items():
            own = self._rows[stream]
            for path, rows in parts.items():
                if path not in self._removed:
                    own.setdefault(path, rows)
        self._is_counted = True

    def _count(self, epoch: int) -> None:
        found: dict[Stream, Rows] = {stream: {} for stream in self._streams}
        try:
            for path, counts in self._read(self._files()):
                if self._stopping:
                    return
                for name, rows in counts.get(str(epoch), {}).items():
                    if name in found:
                        found[Stream(name)][path] = rows
        except Exception as error:  # the end of a thread must not go unnoticed: hours would stay uncompacted
            self.error = f"the ledger cannot count the archive's files, and no hour is swapped: {error!r}"
            log.exception("commit.count_failed", remedy="report this; restart the writer to try again")
            return
        log.info("commit.counted", epoch=epoch, parts=sum(map(len, found.values())))
        self._counts.put((epoch, found))

    def _files(self) -> Iterator[Path]:
        """Yield the files of the streams' datasets, then the notes of their removed hours."""
        for stream in {*self._streams, Stream.REJECTS}:
            # Not rglob: a directory may disappear while it is walked.
            for directory, _, names in os.walk(stream_root(self._root, stream)):
                yield from (Path(directory, name) for name in names if name.endswith(".parquet"))
            yield from (self._root / REMOVED / stream.value).glob("*.json")

    def _read(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Counts]]:
        """Yield the rows that each file or note accounts for; log and keep count of unreadable ones."""
        for path in paths:
            try:
                yield path, self._removed_rows(path) if path.suffix == ".json" else _rows_of_part(path)
            except FileNotFoundError:
                continue
            except (OSError, ArchiveError) as error:
                self.unreadable.add(path)
                log.error("commit.unreadable", error=str(error))  # noqa: TRY400 - it names the remedy

    def _removed_rows(self, note: Path) -> Counts:
        """Return what a note accounts for; its path is `.state/removed/<stream>/<hour>.json`."""
        try:
            hour = hour_of_text(note.stem)
        except ValueError as error:
            raise BrokenInvariant(f"{note} is not the note of a removed hour: move it elsewhere") from error
        directory = hour_directory(self._root, Stream(note.parent.name), hour)
        return removed_here(directory, read_removals(note))


def _rows_of_part(path: Path) -> Counts:
    with open_part(path) as part:
        return accounted(part.footer)
