"""The loop: receive, validate, push; begin again from the stored cursor after any doubt; pause when full.

One task keeps a connection open and fills the inbox, this one pushes the inbox's drafts, one at a time. What
is decided stands elsewhere (`hosts`, `resume`, `draft`, `watch`, `backpressure`), without a wait.
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
from services.jetstream.dedup import DedupWindow
from services.jetstream.follow import Follower
from services.jetstream.hosts import Next
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.metrics import Reconnect
from services.jetstream.validate import validator
from services.jetstream.watch import CollectionWatch
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient
from services.shared.event import Gap, GapReason
from services.shared.retry import back_off

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.draft import Draft
    from services.jetstream.health import IngesterHealth
    from services.jetstream.metrics import IngesterMetrics
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
        self._memory = DedupWindow(settings.ingest_dedup_seconds, settings.ingest_dedup_events)
        self._watch = CollectionWatch()
        self._next = Next(settings.ingest_hosts)
        self._backpressure = Backpressure(settings, metrics)
        self._cursor: Cursor
        self._nonce = ""
        self._owed: Counter[str] = Counter()
        self._owed_gaps: list[Gap] = []

    async def run(self) -> None:
        """Ingest until stopped; raises BrokenInvariant for what a person must mend."""
        failures = 0
        while not self._stopping:
            self._pushes = 0
            try:
                await self._session()
            except Transient as error:
                failures = 1 if self._pushes else failures + 1
                seconds = back_off(failures)
                self._health.state = "beginning again"
                self._metrics.resets.inc()
                log.warning("retry", error=str(error), attempt=failures, seconds=round(seconds, 2))
                await self._pause(seconds)
        self._pusher.close()
        self._thread.shutdown()

    async def _session(self) -> None:
        """Read where to go on, and go on until stopped or in doubt."""
        if not await self._begin():
            return
        bounds = PushLimits(self._settings.ingest_push_events, self._settings.ingest_push_bytes)
        inbox = Inbox(bounds, self._memory, self._validate)
        follower = Follower(self._settings, inbox, self._metrics, self._next, lambda: self._cursor)
        if self._backpressure.paused:
            follower.pause()
        tasks = [asyncio.create_task(work) for work in (follower.follow(), follower.read_again())]
        waking = asyncio.create_task(self._wake(inbox))
        try:
            while not self._stopping:
                await inbox.filled(TICK_SECONDS)
                for task in tasks:
                    if task.done():
                        task.result()
                await self._keep_room(follower)
                await self._push_next(inbox, follower)
            await _end(tasks)
            while inbox and not self._backpressure.paused:
                await self._push_next(inbox, follower)
        finally:
            await _end([*tasks, waking])

    async def _begin(self) -> bool:
        self._health.state = "waiting for the writer to set the first cursor"
        while not self._stopping:
            start = await self._in_thread(self._pusher.reset)
            if start is not None:
                self._cursor = start.cursor
                self._memory.refill(start.recent)
                self._nonce = secrets.token_hex(8)
                self._owed.clear()
                self._next.begin(start.cursor)
                log.info("buffer.cursor", **_facts(start.cursor), recent=len(self._memory))
                self._health.state = "running"
                reach(CrashPoint.RECEIVE_RESUMED)
                return True
            await self._pause(TICK_SECONDS)
        return False

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _wake(self, inbox: Inbox) -> None:
        await self._stopping.wait()
        inbox.wake()

    async def _keep_room(self, follower: Follower) -> None:
        """Pause or resume, at most once a second."""
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
        draft = inbox.take()
        self._complete(draft, follower)
        if not draft.is_worth_a_push():
            self._owed += draft.counts()
        elif not await self._pushed(draft, follower):
            return
        self._seen(draft, follower)
        inbox.drop()

    def _complete(self, draft: Draft, follower: Follower) -> None:
        """Add the gap rows that are owed, and end the connections that showed that they must."""
        self._owed_gaps.extend(follower.lost)
        follower.lost.clear()
        for gap in self._owed_gaps:
            draft.note(gap)
        for source, reason, time_us in draft.endings:
            since_us = follower.stepped_back_to(time_us) if reason is Reconnect.STEPPED_BACK else time_us
            source.end(reason, dead=source.dead, since_us=since_us)

    async def _pushed(self, draft: Draft, follower: Follower) -> bool:
        """Push, waiting while Redis is full; False when stopped there."""
        push = draft.push(self._cursor, self._nonce, self._owed, time.time_ns() // 1000)
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
                await self._keep_room(follower)
        self._cursor = push.cursor
        self._memory.pushed(push.recent, push.forgotten)
        self._owed.clear()
        self._owed_gaps.clear()
        self._pushes += 1
        for source in draft.progressed:
            source.progress = True
        self._account(draft, push)
        return True

    def _seen(self, draft: Draft, follower: Follower) -> None:
        """Look whether a collection has gone missing."""
        newest_us = draft.newest_us()
        if newest_us is None:
            return
        now_us = time.time_ns() // 1000
        host = self._cursor.host
        self._metrics.lag.set(newest_us / 1e6)
        for ended in self._watch.see(draft.collections, newest_us):
            if newest_us <= ended.last_us:
                continue
            gap = Gap(ended.last_us, newest_us, GapReason.COLLECTION_SILENT, host, now_us, ended.collection)
            self._owed_gaps.append(gap)
        silence = self._watch.silent()
        if silence is None or follower.current is None or follower.current.ending is not None:
            return
        log.warning(
            "receive.collection_silent", collection=silence.collection, host=host, tried=silence.tried
        )
        if silence.tried < len(self._settings.ingest_hosts):
            self._watch.left(silence)
            # The next host's clock may be behind this one's.
            back_us = int(self._settings.ingest_host_rewind_seconds * 1e6)
            follower.current.end(Reconnect.COLLECTION_SILENT, since_us=silence.last_us - back_us)
            return
        until_us = self._watch.give_up(silence)
        self._owed_gaps.append(
            Gap(silence.last_us, until_us, GapReason.COLLECTION_SILENT, host, now_us, silence.collection)
        )

    def _account(self, draft: Draft, push: Push) -> None:
        self._health.pushed_at = time.monotonic()
        if draft.first_at is not None:
            self._metrics.latency.observe(time.monotonic() - draft.first_at)
        for stream, elements in push.elements.items():
            self._metrics.pushed.labels(stream).inc(len(elements))
        for name, count in push.counts.items():
            of, _, what = name.partition(":")
            if what == "received":
                self._metrics.events.labels(of).inc(count)
            elif what == "duplicate":
                self._metrics.duplicates.inc(count)
        for reason, count in draft.rejects.items():
            self._metrics.rejects.labels(reason).inc(count)
        for gap in draft.gaps:
            self._metrics.gaps.labels(gap.reason).inc()
            self._metrics.gap_seconds.inc((gap.to_us - gap.from_us) / 1e6)
            log.warning("receive.gap", reason=gap.reason, from_us=gap.from_us, to_us=gap.to_us, host=gap.host)
        self._metrics.dedup_evicted_by_size.inc(push.evicted_by_size)
        self._metrics.dedup_events.set(len(self._memory))
        log.debug("buffer.pushed", events=sum(map(len, push.elements.values())), time_us=push.cursor.time_us)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        # One thread: what is asked of Redis is asked in order, also after a cancelled wait.
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
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
