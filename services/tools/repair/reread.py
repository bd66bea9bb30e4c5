"""Reads one interval once more from one host, through the ingester's own receiver and pending push.

As a window that is read once more, it never moves the cursor; the end is the first event beyond it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.receive import Receiver
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.tools.query.intervals import Span
from services.tools.repair.push import TICK_SECONDS, remembering

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.pending import PendingPush
    from services.jetstream.settings import IngesterSettings
    from services.shared.lifecycle import Stopping
    from services.tools.repair.push import Pushing

SLACK_US = 1_000_000
"""A host may send events a little out of their order."""
BEHIND_US = 600_000_000
"""A v2 host may begin a minute or two before the time it is asked for."""
EARLIEST_US = 10**15
"""A v2 host takes a smaller cursor for a sequence number."""


@dataclass
class Reading:
    """What reading an interval from one host brought so far."""

    first_us: int | None = None
    """Event time of the first event sent: the host has nothing from before it, if it lies in the interval."""
    last_us: int | None = None
    read_through: bool = False
    """An event beyond the interval came, so there is nothing more in it."""
    why: str = ""
    """How the connection ended."""

    def covered(self, asked: Span) -> Span | None:
        """Return what of the interval this host has told whole."""
        if self.first_us is None or self.last_us is None:
            return None
        from_us = max(asked.from_us, self.first_us)
        to_us = asked.to_us if self.read_through else min(asked.to_us, self.last_us - SLACK_US)
        return Span(from_us, to_us) if to_us > from_us else None


class Reread:
    """Pushes what a host has and the archive has not; raises Transient when that must be looked at again."""

    def __init__(
        self,
        settings: IngesterSettings,
        pushing: Pushing,
        stopping: Stopping,
        open_frame: Callable[[bytes], bytes],
        told: Callable[[int, Counter[str]], None],
    ) -> None:
        self._settings = settings
        self._pushing = pushing
        self._stopping = stopping
        self._validate = validator(settings.ingest_max_event_bytes, open_frame)
        self._told = told
        self._margin_us = int(settings.ingest_host_rewind_seconds * 1e6)

    async def read(self, host: str, asked: Span, known: set[bytes]) -> Reading:
        """Read `asked`, and a little around it because hosts' clocks differ, from `host`."""
        dedup = remembering(known)
        bounds = PushLimits(self._settings.ingest_push_events, self._settings.ingest_push_bytes)
        inbox = Inbox(bounds, dedup, self._validate)
        receiver = Receiver(self._settings, inbox, self._pushing.metrics)
        plan = self._plan(host, asked)
        window = Window(plan.position, asked.to_us + self._margin_us, host)
        connection = ConnectionState(plan, time.monotonic(), window)
        reading = Reading()
        receiving = asyncio.create_task(receiver.receive(connection))
        try:
            while not self._stopping and (inbox or not receiving.done()):
                await inbox.filled(TICK_SECONDS)
                if inbox:
                    await self._push(inbox.take(), connection, dedup, reading)
                    inbox.drop()
            connection.end(DisconnectReason.CLOSED, discard=True)
            reading.why = (await receiving).value
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        reading.read_through = connection.is_window_complete
        return reading

    def _plan(self, host: str, asked: Span) -> ResumePlan:
        position = max(asked.from_us - self._margin_us, EARLIEST_US)
        # Only the position counts: what is known tells repeats, and the times tell what the host still has.
        return ResumePlan(
            host, position, exact=False, hint=ResumeHint(), cursor=Cursor(position, epoch=0, push=0)
        )

    async def _push(
        self, pending: PendingPush, connection: ConnectionState, dedup: DedupWindow, reading: Reading
    ) -> None:
        if pending.time_range_us is not None:
            first_us, last_us = pending.time_range_us
            if reading.first_us is None:
                reading.first_us = first_us
            reading.last_us = max(last_us, reading.last_us or 0)
        if reading.first_us is not None and reading.first_us < connection.plan.position - BEHIND_US:
            # It gives its live tail: it has not come as far yet, or its clock is wrong.
            connection.end(DisconnectReason.STEPPED_BACK, discard=True)
            return
        for one, reason, _ in pending.endings:
            one.end(reason)
        if await asyncio.to_thread(self._pushing.push, pending, connection.plan.cursor, dedup):
            self._told(reading.last_us or connection.plan.position, self._pushing.counts)
