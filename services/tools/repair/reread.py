"""Reads an interval again from a host, with the ingester's receiver.

Events are read as those of a cut-over's window, which never move the cursor. The first event after the
interval ends the reading.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.archive.gaps import Interval
from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.receive import Receiver
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.tools.repair.push import TICK_SECONDS, dedup_window_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from services.jetstream.dedup import DedupWindow
    from services.jetstream.pending import PendingPush
    from services.jetstream.settings import IngesterSettings
    from services.shared.lifecycle import Stopping
    from services.tools.repair.push import RepairPusher

SLACK_US = 1_000_000
"""A host may send events slightly out of order."""
BEHIND_US = 600_000_000
"""A v2 host may begin a minute or two before the requested time."""
EARLIEST_US = 10**15
"""A v2 host interprets a smaller cursor as a sequence number."""


@dataclass
class Reading:
    """What a host has sent of an interval so far."""

    first_us: int | None = None
    """Time of the first event; if it is inside the interval, the host has nothing older."""
    last_us: int | None = None
    read_through: bool = False
    """Whether an event after the interval was received, so that the interval is complete."""
    why: str = ""
    """Reason of the end of the connection."""

    def covered(self, asked: Interval) -> Interval | None:
        """Return the part of the interval that the host has sent completely, or None."""
        if self.first_us is None or self.last_us is None:
            return None
        from_us = max(asked.from_us, self.first_us)
        to_us = asked.to_us if self.read_through else min(asked.to_us, self.last_us - SLACK_US)
        return Interval(from_us, to_us) if to_us > from_us else None


class Reread:
    """Reads intervals from hosts and pushes events that the archive lacks."""

    def __init__(
        self,
        settings: IngesterSettings,
        pusher: RepairPusher,
        stopping: Stopping,
        open_frame: Callable[[bytes], bytes],
        report: Callable[[int, Counter[str]], None],
    ) -> None:
        self._settings = settings
        self._pusher = pusher
        self._stopping = stopping
        self._validate = validator(settings.ingest_max_event_bytes, open_frame)
        self._report = report
        self._margin_us = int(settings.ingest_host_rewind_seconds * 1e6)

    async def read(self, host: str, asked: Interval, known: set[bytes]) -> Reading:
        """Read `asked` from `host`, with a margin because clocks differ. Raises Transient as a push does."""
        dedup = dedup_window_of(known)
        bounds = PushLimits(self._settings.ingest_push_events, self._settings.ingest_push_bytes)
        inbox = Inbox(bounds, dedup, self._validate)
        receiver = Receiver(self._settings, inbox, self._pusher.metrics)
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

    def _plan(self, host: str, asked: Interval) -> ResumePlan:
        position = max(asked.from_us - self._margin_us, EARLIEST_US)
        # Only the position matters: known identities reveal duplicates, and times what the host still has.
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
            # It sends its newest events: it has not reached this time yet, or its clock is wrong.
            connection.end(DisconnectReason.STEPPED_BACK, discard=True)
            return
        for one, reason, _ in pending.endings:
            one.end(reason)
        if await asyncio.to_thread(self._pusher.push, pending, connection.plan.cursor, dedup):
            self._report(reading.last_us or connection.plan.position, self._pusher.counts)
