"""Every lie the fake host can tell: it fires, it is counted, it loses nothing from the record."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import InvalidStatus

from testing.events import HostView, Traffic
from testing.fakes.jetstream import FakeJetstream, Options
from testing.fakes.jetstream.client import drain, everything, play, stopped_clock, subscribed, take, until

FIRST = 1_783_175_888_000_000
TRAFFIC = Traffic(seed=6, first_us=FIRST, rate=100.0)
ALL = "?cursor=0"


def options(view: HostView | None = None) -> Options:
    return Options(source=TRAFFIC, clock=stopped_clock(FIRST, 10.0), view=view or HostView(), seed=3)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 4000])
def test_hang_up_now(code: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            fake.faults.hang_up(code, reason="" if code == 1006 else "failed to replay events")
            assert await drain(socket) == []
            assert socket.close_code == code
        await until(lambda: fake.connections[0].close_code == code)
        assert fake.faults.fired == {"hang_up": 1}

    play(scenario, options())


@pytest.mark.parametrize("code", [1000, 1006])
def test_hang_up_after_so_many_frames_once_each(code: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.hang_up(code, after=300)
        fake.faults.hang_up(code, after=7)
        for count in (300, 7):
            async with subscribed(fake, ALL) as socket:
                assert len(await drain(socket)) == count
                assert socket.close_code == code
        assert len(await everything(fake, ALL)) == fake.store.tip()
        assert fake.faults.fired == {"hang_up": 2}

    play(scenario, options())


def test_silence_loses_nothing_and_answers_pings() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.silence()
        async with subscribed(fake, ALL) as socket:
            await until(lambda: fake.faults.fired["silence"])
            await (await socket.ping())
            assert fake.connections[0].sent == 0
            fake.faults.speak()
            assert await take(socket, fake.store.tip()) == list(fake.truth())
            fake.faults.silence(0.05)
            fake.options.clock.advance(1.0)
            assert await take(socket, 90) == [fake.store.frame(i) for i in range(1000, 1090)]

    play(scenario, options())


def test_a_client_may_leave_a_silent_host() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.silence()
        async with subscribed(fake, ALL):
            await until(lambda: fake.faults.fired["silence"])
        await until(lambda: fake.connections[0].close_code == 1000)

    play(scenario, options())


def test_mute_accepts_and_never_sends() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.mute()
        async with subscribed(fake, ALL) as muted:
            assert len(await everything(fake, ALL)) == fake.store.tip()
            await (await muted.ping())
            assert fake.connections[0].sent == 0
        await until(lambda: fake.connections[0].close_code == 1000)
        assert fake.faults.fired["mute"] == 1

    play(scenario, options())


def test_blindness_keeps_collections_back_until_it_sees() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.blind(["app.bsky.feed.like", "app.bsky.graph.*"])
        seen = {json.loads(f).get("commit", {}).get("collection") for f in await everything(fake, ALL)}
        assert "app.bsky.feed.post" in seen
        assert not {"app.bsky.feed.like", "app.bsky.graph.follow"} & seen
        assert fake.faults.fired["blind"] > 500
        fake.faults.see()
        assert await everything(fake, ALL) == list(fake.truth())

    play(scenario, options())


def test_repeat_sends_the_last_frames_again() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, ALL) as socket:
            sent = await take(socket, fake.store.tip())
            await until(lambda: fake.connections[0].caught_up)
            fake.faults.repeat(40)
            assert await take(socket, 40) == sent[-40:]
            assert fake.faults.fired["repeat"] == 40

    play(scenario, options())


def test_a_cutover_drops_and_reorders_the_last_second_once() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.cutover(drop=0.3, late=0.2, times=2)
        truth = list(fake.truth())
        for connection in range(2):
            spoilt = await everything(fake, ALL)
            record = fake.connections[connection]
            window = range(fake.store.before_cutover(), fake.store.tip())
            assert 10 < len(record.dropped) < 60
            assert 5 < len(record.late) < 40
            assert set(record.dropped) | set(record.late) <= set(window)
            assert spoilt[: window.start] == truth[: window.start]
            assert sorted(spoilt) == sorted(f for i, f in enumerate(truth) if i not in record.dropped)
            assert [truth.index(frame) for frame in spoilt[-len(record.late) :]] == record.late
        assert fake.connections[0].dropped == fake.connections[1].dropped
        assert fake.faults.fired["cutover"] == 2
        assert await everything(fake, ALL) == truth

    play(scenario, options())


@pytest.mark.parametrize("status", [400, 429, 503])
def test_refuse_the_next_connects(status: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.refuse(2, status=status, body="not now")
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with subscribed(fake):
                    pass
            assert (refused.value.response.status_code, refused.value.response.body) == (status, b"not now")
        assert await everything(fake, ALL)
        assert [c.refused for c in fake.connections] == [status, status, None]
        assert fake.faults.fired["refuse"] == 2

    play(scenario, options())


def test_another_server_behind_the_same_name() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            fake.change_namespace(first_seq=77_000, offset_us=5)
            await drain(socket)
            assert socket.close_code == 1006
        first = json.loads((await everything(fake, ALL))[0])
        assert (first["cursor"], first["time_us"]) == (77_000, TRAFFIC.time_us(0) + 5)

    play(scenario, options(HostView("v2", first_seq=1)))


def test_down_and_up_on_the_same_port() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        port = fake.port
        async with subscribed(fake) as socket:
            await fake.down()
            await drain(socket)
            assert socket.close_code == 1006
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection("127.0.0.1", port)
        await fake.up()
        assert fake.port == port
        assert await everything(fake, ALL) == list(fake.truth())

    play(scenario, options())


def test_a_day_that_ends_is_followed_by_silence() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        total = fake.store.tip() + 10
        fake.store.end(total)
        fake.options.clock.advance(60.0)
        assert len(await everything(fake, ALL)) == total
        with pytest.raises(ValueError, match="already"):
            fake.store.end(total - 1)

    play(scenario, options())
