"""RECEIVE: keeps one connection to a Jetstream host open and puts its frames into the inbox.

`Receiver` reads one connection to its end. `Follower` opens one after another, along the hosts, and re-reads
the windows in the cursor. What to ask for is decided in `resume` and `hosts`.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.frames import FrameReader
from services.jetstream.resume import (
    ResumeHint,
    ResumePlan,
    Rewind,
    reread_host,
    resume_plan,
    window_to_reread,
)
from services.jetstream.subscription import Filter, Subscription, subscribe
from services.shared.event import Gap, GapReason
from services.shared.retry import back_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.hosts import HostSelector
    from services.jetstream.inbox import Inbox
    from services.jetstream.metrics import IngesterMetrics
    from services.jetstream.settings import IngesterSettings
    from services.shared.cursor import Cursor, Window

TOO_BIG = 1009
BAD_REQUEST = 400
OPEN_SECONDS = 10
CLOSE_SECONDS = 1
PING_SECONDS = 20
POLL_SECONDS = 1.0
"""How often the cursor is checked for a window to re-read."""
UNKNOWN_ABSENCE_US = 3_600_000_000
log = structlog.get_logger()


class Receiver:
    """Opens connections and puts the frames they send into an inbox."""

    def __init__(self, settings: IngesterSettings, inbox: Inbox, metrics: IngesterMetrics) -> None:
        self._settings = settings
        self._inbox = inbox
        self._metrics = metrics
        self._filter = Filter(settings.ingest_collections, settings.ingest_dids)
        self._closing: set[asyncio.Task[None]] = set()

    def subscription(self, plan: ResumePlan) -> Subscription:
        """Return the request to the plan's host."""
        return subscribe(
            plan.host,
            self._filter,
            plan.position,
            compress=self._settings.ingest_compress,
            skip_larger=self._settings.ingest_max_frame_bytes if plan.hint.skip_larger else None,
        )

    async def receive(self, connection: ConnectionState) -> DisconnectReason:
        """Connect, put frames into the inbox until the connection ends, and return why it ended."""
        host = connection.plan.host
        request = self.subscription(connection.plan)
        try:
            async with connect(
                request.url,
                max_size=self._settings.ingest_max_frame_bytes,
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                create_connection=partial(  # type: ignore[arg-type]
                    FrameReader, max_frame_bytes=self._settings.ingest_max_frame_bytes
                ),
            ) as socket:
                reader = cast("FrameReader", socket)
                connection.opened(lambda: self._close(reader))
                if connection.disconnect_reason is not None:
                    return connection.disconnect_reason
                if request.hello is not None:
                    await reader.send(request.hello.decode())
                log.info("receive.connected", host=host, position=connection.plan.position)
                await self._read(reader, connection)
        except ConnectionClosed as error:
            is_too_big = (
                error.sent is not None and error.sent.code == TOO_BIG and error.rcvd_then_sent is not True
            )
            return connection.disconnect_reason or (
                DisconnectReason.OVERSIZE_FRAME if is_too_big else DisconnectReason.CLOSED
            )
        except InvalidStatus as error:
            return _refused(host, error)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ValueError) as error:
            log.warning("receive.unreachable", host=host, error=str(error) or type(error).__name__)
            return connection.disconnect_reason or DisconnectReason.UNREACHABLE
        return connection.disconnect_reason or DisconnectReason.CLOSED

    async def _read(self, reader: FrameReader, connection: ConnectionState) -> None:
        idle = asyncio.create_task(self._watch_idle(connection))
        if connection.window is None:
            self._metrics.connected.set(1)
            self._metrics.host.labels(connection.plan.host).set(1)
        inbox, frames, size = self._inbox, self._metrics.frames, self._metrics.bytes
        quiet = self._metrics.quiet
        try:
            while True:
                batch = await reader.read(inbox.room_left)
                now = time.monotonic()
                connection.received(now)
                inbox.put_all(connection, batch, now)
                frames.count += len(batch)
                size.count += sum(map(len, batch))
                quiet.set(time.time())
                if inbox.is_full:
                    await inbox.room(connection)
                    if connection.disconnect_reason is not None:
                        return
                    connection.resume_idle_clock(time.monotonic())
        finally:
            idle.cancel()
            if connection.window is None:
                self._metrics.connected.set(0)
                self._metrics.host.labels(connection.plan.host).set(0)

    async def _watch_idle(self, connection: ConnectionState) -> None:
        # Data counts, not pongs: hosts have answered pings for an hour without sending an event.
        while True:
            left = connection.last_frame_at + self._settings.idle_seconds - time.monotonic()
            if left <= 0 and not self._inbox.is_full:
                connection.end(DisconnectReason.SILENT)
                return
            await asyncio.sleep(max(left, 0.05))

    def _close(self, reader: FrameReader) -> None:
        task = asyncio.get_running_loop().create_task(reader.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._inbox.wake()


class Follower:
    """Fills an inbox from the first host that works, resuming behind the cursor that `cursor` returns."""

    def __init__(
        self,
        settings: IngesterSettings,
        inbox: Inbox,
        metrics: IngesterMetrics,
        hosts: HostSelector,
        cursor: Callable[[], Cursor],
    ) -> None:
        self._settings = settings
        self._inbox = inbox
        self._metrics = metrics
        self._cursor = cursor
        self._hosts = hosts
        self._receiver = Receiver(settings, inbox, metrics)
        self._rewind = Rewind(
            int(settings.ingest_rewind_seconds * 1e6), int(settings.ingest_host_rewind_seconds * 1e6)
        )
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        self._left_at: float | None = None
        self.current: ConnectionState | None = None
        self.unread_gaps: list[Gap] = []
        """Gap rows of windows that can no longer be re-read."""

    async def follow(self) -> None:
        """Connect to one host after another, until cancelled."""
        hosts = self._hosts
        while True:
            await self._may_connect.wait()
            plan = resume_plan(self._cursor(), hosts.host, self._rewind, hosts.hint)
            connection = self.current = ConnectionState(plan, time.monotonic())
            reason = await self._receiver.receive(connection)
            await self._inbox.drained(connection)
            self.current = None
            self._metrics.reconnects.labels(reason).inc()
            hosts.ended(
                reason, self._cursor(), progress=connection.has_progress, since_us=connection.since_us
            )
            delay = hosts.delay_after(reason)
            seconds = back_off(delay) if isinstance(delay, int) and delay else float(delay)
            if connection.has_received:
                self._left_at = connection.last_frame_at
            log.info(
                "receive.disconnected",
                host=plan.host,
                reason=reason,
                next=hosts.host,
                seconds=round(seconds, 2),
            )
            await asyncio.sleep(seconds)

    def pause(self) -> None:
        """Close the connection and open no other until `unpause`."""
        self._may_connect.clear()
        if self.current is not None:
            self.current.end(DisconnectReason.PAUSED)

    def unpause(self) -> None:
        """Connect again."""
        self._may_connect.set()

    def stepped_back_to(self, time_us: int) -> int:
        """Return the event time to resume from on a host whose clock shows `time_us`.

        It lies before our absence, by that clock.
        """
        absence_us = (
            UNKNOWN_ABSENCE_US if self._left_at is None else int((time.monotonic() - self._left_at) * 1e6)
        )
        return time_us - absence_us - self._rewind.other_host_us

    async def reread(self) -> None:
        """Re-read each window of the cursor once it lies wholly in the host's store, until cancelled."""
        failures = 0
        while True:
            await asyncio.sleep(back_off(failures) if failures else POLL_SECONDS)
            cursor = self._cursor()
            window = window_to_reread(cursor.windows, cursor.time_us, failures)
            if window is None or not self._may_connect.is_set():
                continue
            host = reread_host(window, self._settings.ingest_hosts, failures)
            plan = ResumePlan(host, window.from_us, exact=False, hint=ResumeHint(), cursor=cursor)
            connection = ConnectionState(plan, time.monotonic(), window)
            if self._is_out_of_reach(window):
                now_us = time.time_ns() // 1000
                gap = Gap(window.from_us, window.to_us, GapReason.CUTOVER, window.host, now_us)
                self.unread_gaps.append(gap)
                is_complete = True
            else:
                await self._receiver.receive(connection)
                await self._inbox.drained(connection)
                is_complete = connection.is_window_complete
            failures = 0 if is_complete else failures + 1
            if is_complete:
                self._inbox.complete_window(connection)
                await self._inbox.drained(connection)

    def _is_out_of_reach(self, window: Window) -> bool:
        return time.time() - window.from_us / 1e6 > self._settings.archive_look_back_hours * 3600


def _refused(host: str, error: InvalidStatus) -> DisconnectReason:
    status, body = error.response.status_code, (error.response.body or b"")[:500].decode(errors="replace")
    if status == BAD_REQUEST:
        remedy = (
            "the host refuses the filters or the cursor; check INGEST_COLLECTIONS, INGEST_DIDS, INGEST_HOSTS"
        )
        log.error("receive.misconfigured", host=host, response=body.strip(), remedy=remedy)
        return DisconnectReason.MISCONFIGURED
    log.warning("receive.refused", host=host, status=status, response=body.strip())
    return DisconnectReason.REFUSED
