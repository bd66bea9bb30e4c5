"""Reads one interval from an archive of segments, block by block, and pushes what our archive lacks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.jetstream.connection import ConnectionState
from services.jetstream.pending import PendingPush
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.shared.errors import BadInput
from services.tools.query.intervals import Span, minus
from services.tools.repair.push import remembering
from services.tools.segments.archive import Rewritten, covered, overlapping, span_of
from services.tools.segments.client import NotHad
from services.tools.segments.format import frame_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.settings import IngesterSettings
    from services.shared.lifecycle import Stopping
    from services.tools.repair.push import Pushing
    from services.tools.segments.archive import Archive
    from services.tools.segments.format import Row

PLANS = 3
"""A segment that is rewritten each time while we read it is left for another day."""
_NEVER_US = (1 << 63) - 1


@dataclass
class Refilled:
    """What reading an interval from an archive brought."""

    covered: list[Span] = field(default_factory=list)
    """What of it was told whole, and is pushed."""
    why: str = ""
    """Why not all of it."""


class Refill:
    """Pushes what an archive has and ours has not."""

    def __init__(
        self,
        settings: IngesterSettings,
        archive: Archive,
        pushing: Pushing,
        stopping: Stopping,
        told: Callable[[int, Counter[str]], None],
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._pushing = pushing
        self._stopping = stopping
        self._told = told
        self._validate = validator(settings.ingest_max_event_bytes)
        self._margin_us = int(settings.ingest_host_rewind_seconds * 1e6)
        self.unreadable = 0
        """Rows that hold no event."""

    @property
    def name(self) -> str:
        """The archive's address."""
        return self._archive.name

    def read(self, asked: Span, known: set[bytes]) -> Refilled:
        """Read `asked`, and a little around it because servers' clocks differ.

        Raises Transient when Redis must be looked at again, BadInput when nothing more can be had of it all.
        """
        dedup = remembering(known)
        for _ in range(PLANS):
            try:
                return self._read(asked, dedup)
            except Rewritten:
                self._archive.forget()
        return Refilled(why=f"{self.name} rewrites these segments just now; run the same command again later")

    def _read(self, asked: Span, dedup: DedupWindow) -> Refilled:
        around = Span(asked.from_us - self._margin_us, asked.to_us + self._margin_us)
        segments = self._archive.segments()
        found = Refilled(covered(segments, asked))
        if minus([asked], found.covered):
            found.why = "it does not reach so far; its newest hour or so is not sealed yet"
        for segment in overlapping(segments, around):
            try:
                blocks = self._archive.blocks(segment)
            except NotHad as error:
                self._lose(found, span_of(segment), asked, error)
                continue
            for block in overlapping(blocks, around):
                try:
                    rows = self._archive.rows(segment, block) if block.events else []
                except NotHad as error:
                    self._lose(found, span_of(block), asked, error)
                    continue
                wanted = (row for row in rows if around.from_us <= row.witnessed_us < around.to_us)
                if not self._take(wanted, dedup):
                    found.covered = minus(found.covered, [Span(block.first_us, _NEVER_US)])
                    return found
                self._told(min(block.last_us, asked.to_us), self._pushing.counts)
        return found

    def _lose(self, found: Refilled, lost: Span, asked: Span, error: NotHad) -> None:
        if lost.from_us < asked.to_us and lost.to_us > asked.from_us:
            found.covered = minus(found.covered, [lost])
            found.why = str(error)

    def _take(self, rows: Iterable[Row], dedup: DedupWindow) -> bool:
        """Push these rows; False when stopped before the end."""
        connection, pending = self._connection(), PendingPush(dedup)
        for frame in self._frames(rows):
            pending.add(connection, [frame], [self._validate(frame)], 0.0, time.time_ns() // 1000)
            if (
                pending.frames >= self._settings.ingest_push_events
                or pending.size >= self._settings.ingest_push_bytes
            ):
                if not self._pushing.push(pending, connection.plan.cursor, dedup):
                    return False
                pending = PendingPush(dedup)
        return (
            self._pushing.push(pending, connection.plan.cursor, dedup)
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
        """Return the state of a connection that re-reads a window, for the pending push."""
        plan = ResumePlan(self.name, 0, exact=False, hint=ResumeHint(), cursor=Cursor(0, epoch=0, push=0))
        return ConnectionState(plan, 0.0, Window(0, _NEVER_US, plan.host))
