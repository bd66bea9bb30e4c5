"""The follower connects along the hosts, never while paused, and re-reads windows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from services.jetstream.connection import DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.hosts import HostSelector
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.receive import Follower
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.shared.event import GapReason
from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import play, stopped_clock, until
from testing.fakes.jetstream.settings import Options
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from testing.fakes.jetstream.server import FakeJetstream

US = 1_000_000
T = int(time.time()) * US - 60 * US
TOTAL = 500
TRUTH = [Traffic(1, T, 100, TOTAL).frame(i, HostView()) for i in range(TOTAL)]
OPTIONS = Options(source=Traffic(1, T, 100, TOTAL), clock=stopped_clock(T, 60))


def address(port: int) -> str:
    return f"ws://127.0.0.1:{port}"


class World:
    """A follower; in place of Redis a list of what was pushed, and the cursor."""

    def __init__(self, *ports: int, **settings: object) -> None:
        hosts = tuple(map(address, ports))
        given = IngesterSettings(ingest_hosts=hosts, **settings)  # type: ignore[arg-type]
        self.dedup = DedupWindow(600, 100_000)
        self.inbox = Inbox(PushLimits(100, US), self.dedup, validator(US))
        self.registry = CollectorRegistry()
        self.metrics = IngesterMetrics(self.registry)
        self.cursor = Cursor(T, 1, 0)
        self.pushed: list[bytes] = []
        self.follower = Follower(given, self.inbox, self.metrics, HostSelector(hosts), lambda: self.cursor)

    def push(self) -> None:
        """Push the oldest pending push."""
        pending = self.inbox.take()
        for gap in self.follower.unread_gaps:
            pending.add_gap(gap)
        self.follower.unread_gaps.clear()
        for connection, reason, time_us in pending.endings:
            connection.end(reason, discard=connection.is_discarded, since_us=time_us)
        push = pending.build(self.cursor, "n", Counter(), time.time_ns() // 1000)
        self.dedup.pushed(push.recent, push.evicted)
        self.cursor = push.cursor
        self.pushed += [element for elements in push.elements.values() for element in elements]
        for connection in pending.progressed:
            connection.progressed()
        self.inbox.drop()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow, and push what arrives."""
        ending = False

        async def pump() -> None:
            # Not cancelled: in Python 3.11 wait_for may suppress the cancellation.
            while not ending:
                await self.inbox.filled(0.01)
                self.push()
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (self.follower.follow(), self.follower.reread())]
            group.create_task(pump())
            try:
                yield
            finally:
                ending = True
                for task in tasks:
                    task.cancel()


def test_an_unreachable_host_is_left_and_each_event_is_pushed_once() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(free_port(), fake.port)
        async with world.running():
            await until(lambda: len(world.pushed) == TOTAL)
            fake.faults.hang_up(1006)
            await until(lambda: len(fake.connections) == 2 and fake.connections[1].sent)
        assert sorted(world.pushed) == sorted(TRUTH)
        assert world.cursor.host == address(fake.port)

    play(scenario, OPTIONS)


def test_a_pause_disconnects_and_unpause_resumes_at_the_cursor() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port)
        async with world.running():
            await until(lambda: len(world.pushed) == TOTAL)
            world.follower.pause()
            await until(lambda: not fake.faults.subscribers)
            tried = len(fake.connections)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until(lambda: len(fake.connections) > tried), 0.3)
            assert len(fake.connections) == tried, "no connection while paused"
            world.follower.unpause()
            await until(lambda: len(fake.connections) > tried)
        assert sorted(world.pushed) == sorted(TRUTH)

    play(scenario, OPTIONS)


def test_a_pause_while_connecting_disconnects() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port)
        async with world.running():
            while world.follower.current is None:  # noqa: ASYNC110 - at its very first moment
                await asyncio.sleep(0)
            world.follower.pause()
            await until(lambda: world.follower.current is None and not fake.faults.subscribers)
            tried = len(fake.connections)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until(lambda: len(fake.connections) > tried), 0.3)
            assert len(fake.connections) == tried <= 1
            assert world.pushed == [], "what arrives after the pause is not used"

    play(scenario, OPTIONS)


def test_absence_is_measured_from_the_last_frame_not_from_the_last_failure() -> None:
    """Failed connections are part of the absence before which a host is read when its clock stepped back."""

    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port, ingest_host_rewind_seconds=0)
        async with world.running():
            await until(lambda: len(world.pushed) == TOTAL)
            fake.faults.refuse(connects=1000)
            fake.faults.hang_up(1006)
            left = time.monotonic()
            await until(lambda: fake.faults.fired["refuse"] >= 4)
            absence = time.monotonic() - left
            assert world.follower.stepped_back_to(T) <= T - int(absence * US)

    play(scenario, OPTIONS)


def test_before_the_first_connection_an_hour_of_absence_is_assumed() -> None:
    async def scenario() -> None:
        assert World(1).follower.stepped_back_to(T) <= T - 3600 * US

    asyncio.run(scenario())


def windowed(world: World, host: str, first: int, last: int) -> None:
    """Set the cursor behind all events, with one window to re-read."""
    window = Window(T + first * US // 100, T + last * US // 100, host)
    world.cursor = Cursor(T + 50 * US, 1, 9, host=host, kind="v1", windows=(window,))
    world.follower.pause()
    world.follower.unpause()


def test_a_window_is_reread_and_removed_from_the_cursor() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        silent_live_host = free_port()
        world = World(silent_live_host, fake.port)
        windowed(world, address(fake.port), 100, 200)
        async with world.running():
            await until(lambda: world.cursor.windows == ())
        assert set(TRUTH[101:199]) <= set(world.pushed) <= set(TRUTH[99:203])
        assert len(world.pushed) == len(set(world.pushed))
        assert (world.cursor.time_us, world.cursor.push > 9) == (T + 50 * US, True)

    play(scenario, OPTIONS)


def test_an_interrupted_window_is_reread_from_its_start() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(free_port(), fake.port)
        windowed(world, address(fake.port), 100, 200)
        fake.faults.hang_up(1006, after=30)
        async with world.running():
            await until(lambda: world.cursor.windows == ())
        assert set(TRUTH[101:199]) <= set(world.pushed)
        assert len(world.pushed) == len(set(world.pushed))

    play(scenario, OPTIONS)


def test_a_window_of_an_unreachable_host_is_reread_from_another() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port)
        windowed(world, "ws://unreachable.example", 100, 200)
        async with world.running():
            await until(lambda: world.cursor.windows == ())
        assert set(TRUTH[101:199]) <= set(world.pushed)

    play(scenario, OPTIONS)


def test_a_window_beyond_the_look_back_becomes_a_gap() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port, archive_look_back_hours=0.001)
        windowed(world, address(fake.port), 100, 200)
        world.follower.pause()
        async with world.running():
            world.follower.unpause()
            await until(lambda: world.cursor.windows == ())
        assert len([row for row in world.pushed if GapReason.CUTOVER.encode() in row]) == 1

    play(scenario, OPTIONS)


def test_disconnects_are_counted_by_reason() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(fake.port)
        async with world.running():
            await until(lambda: len(world.pushed) == TOTAL)
            fake.faults.refuse(connects=2)
            fake.faults.hang_up(1006)
            await until(lambda: len(fake.connections) == 4)
            ends = {
                reason: world.registry.get_sample_value(
                    "archive_receive_reconnects_total", {"reason": reason}
                )
                for reason in DisconnectReason
            }
        assert {reason: count for reason, count in ends.items() if count} == {"closed": 1, "refused": 2}

    play(scenario, OPTIONS)
