"""The ingester's loop: push what the inbox holds, one push at a time; after errors resume from Redis.

A second task keeps the connection open and fills the inbox. Decisions are in `hosts`, `resume`, `pending`,
`silence` and `backpressure`, which never wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import structlog

from services.buffer.connection import Full
from services.buffer.push import Push, Pusher
from services.jetstream.backpressure import Backpressure
from services.jetstream.connection import DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.hosts import HostSelector
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.receive import Follower
from services.jetstream.silence import CollectionWatch
from services.jetstream.validate import validator
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient
from services.shared.event import Gap, GapReason
from services.shared.retry import back_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.health import IngesterHealth
    from services.jetstream.metrics import IngesterMetrics
    from services.jetstream.pending import PendingPush
    from services.jetstream.settings import IngesterSettings
    from services.shared.cursor import Cursor
    from services.shared.lifecycle import Stopping

TICK_SECONDS = 0.5
log = structlog.get_logger()
T = TypeVar("T")


class Ingest:
    """Everything between the websocket and Redis, until stopped."""

    def __init__(
        self,
        settings: IngesterSettings,
        metrics: IngesterMetrics,
        health: IngesterHealth,
        stopping: Stopping,
        open_frame: Callable[[bytes], bytes],
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._validate = validator(settings.ingest_max_event_bytes, open_frame)
        self._pusher = Pusher(settings.redis_address(), stopping)
        self._thread = ThreadPoolExecutor(1, "push")
        self._dedup = DedupWindow(settings.ingest_dedup_seconds, settings.ingest_dedup_events)
        self._collections = CollectionWatch()
        self._hosts = HostSelector(settings.ingest_hosts)
        self._backpressure = Backpressure(settings, metrics)
        self._cursor: Cursor
        self._nonce = ""
        self._unpushed_counts: Counter[str] = Counter()
        """Counts of repeats that were not worth a push of their own."""
        self._unpushed_gaps: list[Gap] = []

    async def run(self) -> None:
        """Ingest until stopped; raises BrokenInvariant for what a person must fix."""
        failures = 0
        while not self._stopping:
            self._pushes = 0
            try:
                await self._session()
            except Transient as error:
                failures = 1 if self._pushes else failures + 1
                seconds = back_off(failures)
                self._health.state = "retrying"
                self._metrics.resets.inc()
                log.warning("retry", error=str(error), attempt=failures, seconds=round(seconds, 2))
                await self._sleep(seconds)
        self._pusher.close()
        self._thread.shutdown()

    async def _session(self) -> None:
        """Read the stored cursor and ingest from there, until stopped or until an error."""
        if not await self._begin():
            return
        limits = PushLimits(self._settings.ingest_push_events, self._settings.ingest_push_bytes)
        inbox = Inbox(limits, self._dedup, self._validate)
        follower = Follower(self._settings, inbox, self._metrics, self._hosts, lambda: self._cursor)
        if self._backpressure.paused:
            follower.pause()
        tasks = [asyncio.create_task(work) for work in (follower.follow(), follower.reread())]
        waking = asyncio.create_task(self._wake(inbox))
        try:
            while not self._stopping:
                await inbox.filled(TICK_SECONDS)
                for task in tasks:
                    if task.done():
                        task.result()
                await self._pause_or_resume(follower)
                await self._push_next(inbox, follower)
            await _cancel(tasks)
            while inbox and not self._backpressure.paused:
                await self._push_next(inbox, follower)
        finally:
            await _cancel([*tasks, waking])

    async def _begin(self) -> bool:
        self._health.state = "waiting for the writer to set the first cursor"
        while not self._stopping:
            start = await self._in_thread(self._pusher.reset)
            if start is not None:
                self._cursor = start.cursor
                self._dedup.refill(start.recent)
                self._nonce = secrets.token_hex(8)
                self._unpushed_counts.clear()
                self._hosts.begin(start.cursor)
                log.info("buffer.cursor_read", **_facts(start.cursor), recent=len(self._dedup))
                self._health.state = "running"
                reach(CrashPoint.RECEIVE_RESUMED)
                return True
            await self._sleep(TICK_SECONDS)
        return False

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _wake(self, inbox: Inbox) -> None:
        await self._stopping.wait()
        inbox.wake()

    async def _pause_or_resume(self, follower: Follower) -> None:
        """Measure the room, at most once a second, and pause or resume the follower."""
        if not self._backpressure.is_due(time.monotonic()):
            return
        changed = self._backpressure.decide(await self._in_thread(self._pusher.memory))
        self._health.paused = self._backpressure.why
        self._metrics.cursor_age.set(self._cursor.time_us / 1e6)
        if changed and self._backpressure.paused:
            follower.pause()
            reach(CrashPoint.RECEIVE_PAUSED)
        elif changed:
            follower.unpause()
            self._health.pushed_at = time.monotonic()

    async def _push_next(self, inbox: Inbox, follower: Follower) -> None:
        pending = inbox.take()
        self._complete(pending, follower)
        if not pending.is_worth_pushing():
            self._unpushed_counts += pending.counts()
        elif not await self._push(pending, follower):
            return
        self._find_silence(pending, follower)
        inbox.drop()

    def _complete(self, pending: PendingPush, follower: Follower) -> None:
        """Add the gap rows not pushed yet, and end the connections whose events require it."""
        self._unpushed_gaps.extend(follower.unread_gaps)
        follower.unread_gaps.clear()
        for gap in self._unpushed_gaps:
            pending.add_gap(gap)
        for connection, reason, time_us in pending.endings:
            is_stepped_back = reason is DisconnectReason.STEPPED_BACK
            connection.end(reason, since_us=follower.stepped_back_to(time_us) if is_stepped_back else time_us)

    async def _push(self, pending: PendingPush, follower: Follower) -> bool:
        """Push, and wait while Redis is full; return False when stopped before it was pushed."""
        push = pending.build(self._cursor, self._nonce, self._unpushed_counts, time.time_ns() // 1000)
        while True:
            try:
                await self._in_thread(self._pusher.push, push)
                break
            except Full as error:
                self._backpressure.refused(str(error))
                follower.pause()
            while self._backpressure.paused:
                if self._stopping:
                    return False
                await asyncio.sleep(TICK_SECONDS)
                await self._pause_or_resume(follower)
        self._cursor = push.cursor
        self._dedup.pushed(push.recent, push.evicted)
        self._unpushed_counts.clear()
        self._unpushed_gaps.clear()
        self._pushes += 1
        for connection in pending.progressed:
            connection.progressed()
        self._report(pending, push)
        return True

    def _find_silence(self, pending: PendingPush, follower: Follower) -> None:
        """Leave a host that has stopped sending a collection; note a gap once every host was tried."""
        newest_us = pending.newest_us()
        if newest_us is None:
            return
        now_us = time.time_ns() // 1000
        host = self._cursor.host
        self._metrics.lag.set(newest_us / 1e6)
        for ended in self._collections.see(pending.collections, newest_us):
            if newest_us <= ended.last_us:
                continue
            gap = Gap(ended.last_us, newest_us, GapReason.COLLECTION_SILENT, host, now_us, ended.collection)
            self._unpushed_gaps.append(gap)
        silence = self._collections.silent()
        current = follower.current
        if silence is None or current is None or current.disconnect_reason is not None:
            return
        log.warning(
            "receive.collection_silent",
            collection=silence.collection,
            host=host,
            hosts_left=silence.hosts_left,
        )
        if silence.hosts_left < len(self._settings.ingest_hosts):
            self._collections.host_left(silence)
            # The next host's clock may be behind this one's.
            back_us = int(self._settings.ingest_host_rewind_seconds * 1e6)
            current.end(DisconnectReason.COLLECTION_SILENT, since_us=silence.last_us - back_us)
            return
        until_us = self._collections.give_up(silence)
        self._unpushed_gaps.append(
            Gap(silence.last_us, until_us, GapReason.COLLECTION_SILENT, host, now_us, silence.collection)
        )

    def _report(self, pending: PendingPush, push: Push) -> None:
        self._health.pushed_at = time.monotonic()
        if pending.first_at is not None:
            self._metrics.latency.observe(time.monotonic() - pending.first_at)
        for stream, elements in push.elements.items():
            self._metrics.pushed.labels(stream).inc(len(elements))
        for name, count in push.counts.items():
            stream_name, _, what = name.partition(":")
            if what == "received":
                self._metrics.events.labels(stream_name).inc(count)
            elif what == "duplicate":
                self._metrics.duplicates.inc(count)
        for reason, count in pending.rejects.items():
            self._metrics.rejects.labels(reason).inc(count)
        for gap in pending.gaps:
            self._metrics.gaps.labels(gap.reason).inc()
            self._metrics.gap_seconds.inc((gap.to_us - gap.from_us) / 1e6)
            log.warning("receive.gap", reason=gap.reason, from_us=gap.from_us, to_us=gap.to_us, host=gap.host)
        self._metrics.dedup_evicted_by_size.inc(push.evicted_by_size)
        self._metrics.dedup_events.set(len(self._dedup))
        log.debug("buffer.pushed", events=sum(map(len, push.elements.values())), time_us=push.cursor.time_us)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        # One thread, so that Redis gets requests in order, even after a cancelled wait.
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _facts(cursor: Cursor) -> dict[str, object]:
    return {
        "time_us": cursor.time_us,
        "epoch": cursor.epoch,
        "push": cursor.push,
        "host": cursor.host or None,
    }
