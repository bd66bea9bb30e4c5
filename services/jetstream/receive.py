"""RECEIVE: frames from the socket, for ever: connect, watch for silence, change hosts, back off.

Every end of a connection means: connect again. What the next connection is asked for is decided by
`resume` and `Next`; this only does it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.jetstream.cutover import CutoverWatch
from services.jetstream.metrics import IngesterMetrics, Reconnect
from services.jetstream.resume import Overlap, Plan
from services.jetstream.source import Source
from services.jetstream.subscription import Filter, Subscription, subscribe
from services.jetstream.wire import Wire

if TYPE_CHECKING:
    from services.jetstream.inbox import Inbox
    from services.jetstream.settings import IngesterSettings

TOO_BIG = 1009
BAD_REQUEST = 400
OPEN_SECONDS = 10
CLOSE_SECONDS = 1
PING_SECONDS = 20
log = structlog.get_logger()


class Receiver:
    """Opens one connection at a time and puts what it sends into an inbox."""

    def __init__(self, settings: IngesterSettings, inbox: Inbox, metrics: IngesterMetrics) -> None:
        self._settings = settings
        self._inbox = inbox
        self._metrics = metrics
        self._filter = Filter(settings.ingest_collections, settings.ingest_dids)
        self._closing: set[asyncio.Task[None]] = set()

    def subscription(self, plan: Plan) -> Subscription:
        """Return what the plan's host is asked for."""
        return subscribe(
            plan.host,
            self._filter,
            plan.position,
            compress=self._settings.ingest_compress,
            skip_larger=self._settings.ingest_max_frame_bytes if plan.wish.skip_larger else None,
        )

    def source(self, plan: Plan) -> Source:
        """Make the record of a connection that is about to be opened."""
        return Source(
            plan, Overlap(plan), CutoverWatch(plan.host, time.monotonic()), last_at=time.monotonic()
        )

    async def receive(self, source: Source) -> Reconnect:
        """Connect, and put frames into the inbox until the connection ends; returns why it did."""
        asked = self.subscription(source.plan)
        try:
            async with connect(
                asked.url,
                max_size=self._settings.ingest_max_frame_bytes,
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                create_connection=partial(Wire, largest=self._settings.ingest_max_frame_bytes),  # type: ignore[arg-type]
            ) as socket:
                wire = cast("Wire", socket)
                source.close = lambda: self._close(wire)
                if source.ending is not None:
                    return source.ending
                if asked.hello is not None:
                    await wire.send(asked.hello.decode())
                log.info("receive.connected", host=source.plan.host, position=source.plan.position)
                await self._read(wire, source)
        except ConnectionClosed as error:
            too_big = (
                error.sent is not None and error.sent.code == TOO_BIG and error.rcvd_then_sent is not True
            )
            return source.ending or (Reconnect.OVERSIZE_FRAME if too_big else Reconnect.CLOSED)
        except InvalidStatus as error:
            return self._refused(source, error)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ValueError) as error:
            log.warning(
                "receive.unreachable", host=source.plan.host, error=str(error) or type(error).__name__
            )
            return source.ending or Reconnect.UNREACHABLE
        return source.ending or Reconnect.CLOSED

    async def _read(self, wire: Wire, source: Source) -> None:
        idle = asyncio.create_task(self._watch_idle(source))
        if source.window is None:
            self._metrics.connected.set(1)
            self._metrics.host.labels(source.plan.host).set(1)
        inbox, frames, size = self._inbox, self._metrics.frames, self._metrics.bytes
        quiet = self._metrics.quiet
        try:
            while True:
                batch = await wire.batch(inbox.room_left)
                source.last_at, source.received = time.monotonic(), True
                inbox.put_all(source, batch, source.last_at)
                frames.count += len(batch)
                size.count += sum(map(len, batch))
                quiet.set(time.time())
                if inbox.is_full:
                    await inbox.room(source)
                    if source.ending is not None:
                        return
                    source.last_at = time.monotonic()
        finally:
            idle.cancel()
            if source.window is None:
                self._metrics.connected.set(0)
                self._metrics.host.labels(source.plan.host).set(0)

    async def _watch_idle(self, source: Source) -> None:
        # On data, not on pings: hosts have answered pings for an hour and sent nothing.
        while True:
            left = source.last_at + self._settings.idle_seconds - time.monotonic()
            if left <= 0 and not self._inbox.is_full:
                source.end(Reconnect.SILENT)
                return
            await asyncio.sleep(max(left, 0.05))

    def _close(self, wire: Wire) -> None:
        task = asyncio.get_running_loop().create_task(wire.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._inbox.wake()

    def _refused(self, source: Source, error: InvalidStatus) -> Reconnect:
        status, body = error.response.status_code, (error.response.body or b"")[:500].decode(errors="replace")
        if status == BAD_REQUEST:
            mend = "it refuses our filters or cursor; check INGEST_COLLECTIONS, INGEST_DIDS, INGEST_HOSTS"
            log.error("receive.misconfigured", host=source.plan.host, said=body.strip(), mend=mend)
            return Reconnect.MISCONFIGURED
        log.warning("receive.refused", host=source.plan.host, status=status, said=body.strip())
        return Reconnect.REFUSED
