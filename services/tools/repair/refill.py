"""Reads an interval from an archive of segments, block by block, and pushes events that the archive lacks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.archive.gaps import Interval, subtract
from services.jetstream.connection import ConnectionState
from services.jetstream.pending import PendingPush
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.shared.errors import BadInput
from services.tools.repair.push import dedup_window_of
from services.tools.segments.archive import SegmentRewritten, covered, interval_of, overlapping
from services.tools.segments.client import Unavailable
from services.tools.segments.format import frame_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.settings import IngesterSettings
    from services.shared.lifecycle import Stopping
    from services.tools.repair.push import RepairPusher
    from services.tools.segments.archive import SegmentArchive
    from services.tools.segments.format import Row

PLANS = 3
"""Attempts when segments are rewritten while they are read."""
_NEVER_US = (1 << 63) - 1


@dataclass
class Refilled:
    """Result of reading an interval from an archive of segments."""

    covered: list[Interval] = field(default_factory=list)
    """Parts of the interval that were read completely and pushed."""
    why: str = ""
    """Why other parts are missing."""


class Refill:
    """Reads intervals from an archive of segments and pushes events that the archive lacks."""

    def __init__(
        self,
        settings: IngesterSettings,
        archive: SegmentArchive,
        pusher: RepairPusher,
        stopping: Stopping,
        report: Callable[[int, Counter[str]], None],
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._pusher = pusher
        self._stopping = stopping
        self._report = report
        self._validate = validator(settings.ingest_max_event_bytes)
        self._margin_us = int(settings.ingest_host_rewind_seconds * 1e6)
        self.unreadable = 0
        """Number of rows that are no events."""

    @property
    def name(self) -> str:
        """The address of the archive of segments."""
        return self._archive.name

    def read(self, asked: Interval, known: set[bytes]) -> Refilled:
        """Read `asked`, with a margin because clocks of servers differ.

        Raises Transient as a push does, and BadInput when the archive of segments cannot be read at all.
        """
        dedup = dedup_window_of(known)
        for _ in range(PLANS):
            try:
                return self._read(asked, dedup)
            except SegmentRewritten:
                self._archive.forget()
        return Refilled(why=f"{self.name} is rewriting these segments; run the same command again later")

    def _read(self, asked: Interval, dedup: DedupWindow) -> Refilled:
        around = Interval(asked.from_us - self._margin_us, asked.to_us + self._margin_us)
        segments = self._archive.segments()
        found = Refilled(covered(segments, asked))
        if subtract([asked], found.covered):
            found.why = "it does not reach this time; its newest hour or so is not sealed yet"
        for segment in overlapping(segments, around):
            try:
                blocks = self._archive.blocks(segment)
            except Unavailable as error:
                self._lose(found, interval_of(segment), asked, error)
                continue
            for block in overlapping(blocks, around):
                try:
                    rows = self._archive.rows(segment, block) if block.events else []
                except Unavailable as error:
                    self._lose(found, interval_of(block), asked, error)
                    continue
                wanted = (row for row in rows if around.from_us <= row.witnessed_us < around.to_us)
                if not self._take(wanted, dedup):
                    found.covered = subtract(found.covered, [Interval(block.first_us, _NEVER_US)])
                    return found
                self._report(min(block.last_us, asked.to_us), self._pusher.counts)
        return found

    def _lose(self, found: Refilled, lost: Interval, asked: Interval, error: Unavailable) -> None:
        if lost.from_us < asked.to_us and lost.to_us > asked.from_us:
            found.covered = subtract(found.covered, [lost])
            found.why = str(error)

    def _take(self, rows: Iterable[Row], dedup: DedupWindow) -> bool:
        """Push the events of these rows; return False when stopped before the end."""
        connection, pending = self._connection(), PendingPush(dedup)
        for frame in self._frames(rows):
            pending.add(connection, [frame], [self._validate(frame)], 0.0, time.time_ns() // 1000)
            if (
                pending.frames >= self._settings.ingest_push_events
                or pending.size >= self._settings.ingest_push_bytes
            ):
                if not self._pusher.push(pending, connection.plan.cursor, dedup):
                    return False
                pending = PendingPush(dedup)
        return (
            self._pusher.push(pending, connection.plan.cursor, dedup)
            if pending.frames
            else not self._stopping
        )

    def _frames(self, rows: Iterable[Row]) -> Iterator[bytes]:
        for row in rows:
            try:
                frame = frame_of(row)
            except BadInput:
                self.unreadable += 1
                continue
            if frame is not None:
                yield frame

    def _connection(self) -> ConnectionState:
        """Return a connection state for pending pushes: that of a window which is read again."""
        plan = ResumePlan(self.name, 0, exact=False, hint=ResumeHint(), cursor=Cursor(0, epoch=0, push=0))
        return ConnectionState(plan, 0.0, Window(0, _NEVER_US, plan.host))
