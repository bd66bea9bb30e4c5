"""Stays connected: one connection after another along the hosts, and the windows to be read once more."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from services.jetstream.cutover import again_from, due
from services.jetstream.metrics import IngesterMetrics, Reconnect
from services.jetstream.receive import Receiver
from services.jetstream.resume import Plan, Rewind, Wish, plan
from services.shared.event import Gap, GapReason
from services.shared.retry import back_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.hosts import Next
    from services.jetstream.inbox import Inbox
    from services.jetstream.settings import IngesterSettings
    from services.jetstream.source import Source
    from services.shared.cursor import Cursor, Window

LOOK_SECONDS = 1.0
UNKNOWN_ABSENCE_US = 3_600_000_000
log = structlog.get_logger()


class Follower:
    """Fills an inbox from the first host that works, resuming behind the cursor it is told."""

    def __init__(
        self,
        settings: IngesterSettings,
        inbox: Inbox,
        metrics: IngesterMetrics,
        hosts: Next,
        cursor: Callable[[], Cursor],
    ) -> None:
        self._settings = settings
        self._inbox = inbox
        self._metrics = metrics
        self._cursor = cursor
        self._next = hosts
        self._receiver = Receiver(settings, inbox, metrics)
        self._rewind = Rewind(
            int(settings.ingest_rewind_seconds * 1e6), int(settings.ingest_host_rewind_seconds * 1e6)
        )
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        self._left_at: float | None = None
        self.current: Source | None = None
        self.lost: list[Gap] = []
        """Gap rows of windows that could not be read once more."""

    async def follow(self) -> None:
        """Connect, for ever."""
        while True:
            await self._may_connect.wait()
            cursor = self._cursor()
            target = plan(cursor, self._next.host, self._rewind, self._next.wish)
            source = self.current = self._receiver.source(target)
            reason = await self._receiver.receive(source)
            await self._inbox.drained(source)
            self.current = None
            self._metrics.reconnects.labels(reason).inc()
            self._next.ended(reason, self._cursor(), progress=source.progress, since_us=source.since_us)
            pause = self._next.pause_after(reason)
            seconds = back_off(pause) if isinstance(pause, int) and pause else float(pause)
            if source.received:
                self._left_at = source.last_at
            log.info(
                "receive.ended",
                host=target.host,
                reason=reason,
                next=self._next.host,
                seconds=round(seconds, 2),
            )
            await asyncio.sleep(seconds)

    def pause(self) -> None:
        """Close the connection on purpose and open no other."""
        self._may_connect.clear()
        if self.current is not None:
            self.current.end(Reconnect.PAUSED)

    def unpause(self) -> None:
        """Connect again."""
        self._may_connect.set()

    def stepped_back_to(self, time_us: int) -> int:
        """Say from when to read a host whose clock showed `time_us`, so that our absence is covered."""
        absence_us = (
            UNKNOWN_ABSENCE_US if self._left_at is None else int((time.monotonic() - self._left_at) * 1e6)
        )
        return time_us - absence_us - self._rewind.other_host_us

    async def read_again(self) -> None:
        """Read each window noted in the cursor once more, when it lies wholly in the host's store."""
        failures = 0
        while True:
            await asyncio.sleep(back_off(failures) if failures else LOOK_SECONDS)
            cursor = self._cursor()
            window = due(cursor.windows, cursor.time_us, failures)
            if window is None or not self._may_connect.is_set():
                continue
            host = again_from(window, self._settings.ingest_hosts, failures)
            source = self._receiver.source(Plan(host, window.from_us, exact=False, wish=Wish(), since=cursor))
            source.window = window
            if self._is_out_of_reach(window):
                now_us = time.time_ns() // 1000
                self.lost.append(Gap(window.from_us, window.to_us, GapReason.CUTOVER, window.host, now_us))
                source.read_through = True
            else:
                await self._receiver.receive(source)
                await self._inbox.drained(source)
            failures = 0 if source.read_through else failures + 1
            if source.read_through:
                source.dead = False
                self._inbox.put_end(source)
                await self._inbox.drained(source)

    def _is_out_of_reach(self, window: Window) -> bool:
        return time.time() - window.from_us / 1e6 > self._settings.archive_look_back_hours * 3600
