"""The loop with a real Redis and a fake host in this process: every event is pushed exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from services.jetstream.health import IngesterHealth
from services.jetstream.ingest import Ingest
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.settings import IngesterSettings
from services.shared.cursor import Cursor, Epoch, decode_cursor
from services.shared.errors import BrokenInvariant
from services.shared.event import JETSTREAM_STREAMS, Stream
from services.shared.lifecycle import Stopping
from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import play, stopped_clock, until
from testing.fakes.jetstream.settings import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from testing.fakes.jetstream.server import FakeJetstream
    from testing.harness.redis import RedisServer

T = 1_783_166_400_000_000
TOTAL = 3000
TRUTH = [Traffic(1, T, 100, TOTAL).frame(i, HostView()) for i in range(TOTAL)]


def options(backlog_s: float = TOTAL / 100) -> Options:
    return Options(source=Traffic(1, T, 100, TOTAL), clock=stopped_clock(T, backlog_s))


@pytest.fixture
def tools(redis_server: RedisServer) -> Iterator[Redis]:
    """Return an operator's client."""
    with contextlib.closing(Redis.from_url(redis_server.url("tools"))) as client:
        yield client


class World:
    """An ingester in this process."""

    def __init__(self, server: RedisServer, tools: Redis, **settings: object) -> None:
        self.url = server.url("ingester")
        self.tools = tools
        self.settings = settings
        self.registry = CollectorRegistry()
        self.stopping = Stopping()
        self.health = IngesterHealth(30)

    @contextlib.asynccontextmanager
    async def running(self, *hosts: FakeJetstream) -> AsyncIterator[asyncio.Task[None]]:
        """Run until the block ends, then stop."""
        given = IngesterSettings(
            redis_url=self.url,
            ingest_hosts=tuple(f"ws://127.0.0.1:{host.port}" for host in hosts),
            **self.settings,  # type: ignore[arg-type]
        )
        ingest = Ingest(given, IngesterMetrics(self.registry), self.health, self.stopping, bytes)
        task = asyncio.create_task(ingest.run())
        try:
            yield task
        finally:
            self.stopping.set()
            await asyncio.wait([task])
        task.result()

    def start_archive(self) -> None:
        """Set the first cursor, as the writer does."""
        self.tools.set("archive:cursor", Cursor(T, 1, 0).encode())
        self.tools.set("archive:epoch", Epoch(1, self.tools.info("server")["run_id"]).encode())

    def held(self, *streams: Stream) -> list[bytes]:
        """Return what was pushed to these streams."""
        found = [self.tools.lrange(f"archive:buffer:{stream}", 0, -1) for stream in streams]
        return [element for elements in found for element in elements if isinstance(element, bytes)]

    @property
    def events(self) -> int:
        """The number of events that were pushed."""
        return sum(self.tools.llen(f"archive:buffer:{stream}") for stream in JETSTREAM_STREAMS)

    def assert_complete(self) -> None:
        """Assert that every event is there once, the cursor is the last one's, and the counts balance."""
        assert sorted(self.held(*JETSTREAM_STREAMS)) == sorted(TRUTH)
        raw = self.tools.get("archive:cursor")
        assert isinstance(raw, bytes)
        assert decode_cursor(raw, "").time_us == json.loads(TRUTH[-1])["time_us"]
        counts = Counter(
            {
                str(name, "ascii"): int(n)
                for name, n in self.tools.hgetall("archive:pushed").items()
                if isinstance(name, bytes)
            }
        )
        for stream in JETSTREAM_STREAMS:
            pushed, again = counts[f"{stream}:pushed"], counts[f"{stream}:duplicate"]
            assert counts[f"{stream}:received"] == pushed + again
            assert pushed == self.tools.llen(f"archive:buffer:{stream}")


def test_every_event_is_pushed_once_and_counted(redis_server: RedisServer, tools: Redis) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools, ingest_push_events=97)
        world.start_archive()
        async with world.running(fake):
            await until(lambda: world.events == TOTAL)
            assert world.health()[0]
        world.assert_complete()
        assert world.held(Stream.GAPS, Stream.REJECTS) == []

    play(scenario, options())


def test_the_ingester_waits_for_the_writers_cursor_and_starts_there(
    redis_server: RedisServer, tools: Redis
) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools)
        async with world.running(fake):
            await until(lambda: "writer" in str(world.health()[1]))
            assert not world.health()[0]
            assert fake.connections == [], "it never starts at the live tail"
            world.start_archive()
            await until(lambda: world.events == TOTAL)
        world.assert_complete()

    play(scenario, options())


def test_a_stop_ends_the_wait_for_the_writer(redis_server: RedisServer, tools: Redis) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools)
        async with world.running(fake) as task:
            await until(lambda: "writer" in str(world.health()[1]))
        assert task.done()

    play(scenario, options())


def test_a_stop_ends_the_back_off_while_redis_is_down(redis_server: RedisServer, tools: Redis) -> None:
    redis_server.kill()

    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools)
        async with world.running(fake):
            await until(lambda: (world.registry.get_sample_value("archive_buffer_resets_total") or 0) >= 3)
            assert world.health()[0] is False

    play(scenario, options())


def test_lost_redis_connections_neither_lose_nor_repeat_events(
    redis_server: RedisServer, tools: Redis
) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools, ingest_push_events=20)
        world.start_archive()
        async with world.running(fake):
            for share in (0.2, 0.5):
                await until(lambda share=share: world.events >= TOTAL * share)  # type: ignore[misc]
                tools.client_kill_filter(user="ingester")
            await until(lambda: world.events >= TOTAL)
        world.assert_complete()
        assert (world.registry.get_sample_value("archive_buffer_resets_total") or 0) >= 1

    play(scenario, options())


def test_a_full_redis_pauses_the_ingester_until_there_is_room(
    redis_server: RedisServer, tools: Redis
) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools, ingest_push_events=100)
        world.start_archive()
        fake.options.clock.advance(-20)
        async with world.running(fake):
            await until(lambda: world.events == 1000)
            tools.config_set("maxmemory", tools.info("memory")["used_memory"] // 2)
            fake.options.clock.advance(20)
            await until(lambda: world.health()[1]["state"] == "paused" and not fake.faults.subscribers)
            assert world.health()[0], "backpressure is not a failure"
            assert world.events < TOTAL
            tools.config_set("maxmemory", "512mb")
            await until(lambda: world.events == TOTAL)
        world.assert_complete()

    play(scenario, options())


def test_the_ingester_stays_paused_when_the_redis_connection_is_lost(
    redis_server: RedisServer, tools: Redis
) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools)
        world.start_archive()
        fake.options.clock.advance(-20)
        async with world.running(fake):
            await until(lambda: world.events == 1000)
            tools.config_set("maxmemory", int(tools.info("memory")["used_memory"] / 0.85))
            await until(lambda: world.health()[1]["state"] == "paused" and not fake.faults.subscribers)
            fake.options.clock.advance(20)
            tools.client_kill_filter(user="ingester")
            resets = "archive_buffer_resets_total"
            await until(lambda: world.registry.get_sample_value(resets))
            await until(lambda: world.health.state == "running")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until(lambda: world.events > 1000), 2)
            assert world.events == 1000, "it must not receive while Redis is as full as before"

    play(scenario, options())


def test_a_collection_silent_on_one_of_two_hosts_is_no_gap(redis_server: RedisServer, tools: Redis) -> None:
    """Pushes under way when the blind host is left do not count for the next host."""

    async def scenario(blind: FakeJetstream) -> None:
        from testing.fakes.jetstream.server import FakeJetstream as Fake  # noqa: PLC0415

        world = World(redis_server, tools, ingest_push_events=25)
        world.start_archive()
        async with Fake(long()) as seeing:
            blind.options.clock.advance(-300)
            async with world.running(blind, seeing) as task:
                await until(lambda: world.events >= 2990)
                blind.faults.blind(["app.bsky.feed.like"])
                blind.options.clock.advance(300)
                await until(lambda: task.done() or (seeing.connections and world.events == 6000))
        assert world.held(Stream.GAPS) == []

    def long() -> Options:
        return Options(source=Traffic(1, T, 10, 6000), clock=stopped_clock(T, 600))

    play(scenario, long())


def test_an_unsafe_redis_stops_the_ingester_with_the_remedy(redis_server: RedisServer, tools: Redis) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        world = World(redis_server, tools)
        world.start_archive()
        tools.config_set("appendfsync", "everysec")
        with pytest.raises(BrokenInvariant, match="set appendfsync always"):
            async with world.running(fake) as task:
                await asyncio.wait([task])

    play(scenario, options())
