"""Every lie the fake host can tell: it fires, it is counted, and the truth stays computable."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from testing.events import HostView, Traffic
from testing.fake_jetstream import FakeJetstream, Options, Planted, planted
from testing.fake_jetstream.client import drain, play, stopped_clock, subscribed, take, until
from testing.fake_jetstream.hostile import HOSTILE

FIRST = 1_783_175_888_000_000
TRAFFIC = Traffic(seed=6, first_us=FIRST, rate=100.0)
ALL = "?cursor=0"


def options(view: HostView | None = None) -> Options:
    return Options(source=TRAFFIC, clock=stopped_clock(FIRST, 10.0), view=view or HostView(), seed=3)


async def everything(fake: FakeJetstream, query: str = ALL) -> list[bytes]:
    """Return all that one connection is sent until it reaches the tip."""
    async with subscribed(fake, query) as socket:
        record = fake.connections[-1]
        await until(lambda: record.caught_up)
        return await take(socket, record.sent)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 4000])
def test_hang_up_now(code: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            fake.lies.hang_up(code, reason="" if code == 1006 else "failed to replay events")
            assert await drain(socket) == []
            assert socket.close_code == code
        await until(lambda: fake.connections[0].close_code == code)
        assert fake.lies.fired == {"hang_up": 1}

    play(scenario, options())


@pytest.mark.parametrize("code", [1000, 1006])
def test_hang_up_after_so_many_frames_once_each(code: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.hang_up(code, after=300)
        fake.lies.hang_up(code, after=7)
        for count in (300, 7):
            async with subscribed(fake, ALL) as socket:
                assert len(await drain(socket)) == count
                assert socket.close_code == code
        assert len(await everything(fake)) == fake.store.tip()
        assert fake.lies.fired == {"hang_up": 2}

    play(scenario, options())


def test_silence_loses_nothing_and_answers_pings() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.silence()
        async with subscribed(fake, ALL) as socket:
            await until(lambda: fake.lies.fired["silence"])
            await (await socket.ping())
            assert fake.connections[0].sent == 0
            fake.lies.speak()
            assert await take(socket, fake.store.tip()) == list(fake.truth())
            fake.lies.silence(0.05)
            fake.options.clock.advance(1.0)
            assert await take(socket, 90) == [fake.store.frame(i) for i in range(1000, 1090)]

    play(scenario, options())


def test_a_client_may_leave_a_silent_host() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.silence()
        async with subscribed(fake, ALL):
            await until(lambda: fake.lies.fired["silence"])
        await until(lambda: fake.connections[0].close_code == 1000)

    play(scenario, options())


def test_mute_accepts_and_never_sends() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.mute()
        async with subscribed(fake, ALL) as muted:
            assert len(await everything(fake)) == fake.store.tip()
            await (await muted.ping())
            assert fake.connections[0].sent == 0
        await until(lambda: fake.connections[0].close_code == 1000)
        assert fake.lies.fired["mute"] == 1

    play(scenario, options())


def test_blindness_keeps_collections_back_until_it_sees() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.blind(["app.bsky.feed.like", "app.bsky.graph.*"])
        seen = {json.loads(f).get("commit", {}).get("collection") for f in await everything(fake)}
        assert "app.bsky.feed.post" in seen
        assert not {"app.bsky.feed.like", "app.bsky.graph.follow"} & seen
        assert fake.lies.fired["blind"] > 500
        fake.lies.see()
        assert await everything(fake) == list(fake.truth())

    play(scenario, options())


def test_repeat_sends_the_last_frames_again() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, ALL) as socket:
            sent = await take(socket, fake.store.tip())
            await until(lambda: fake.connections[0].caught_up)
            fake.lies.repeat(40)
            assert await take(socket, 40) == sent[-40:]
            assert fake.lies.fired["repeat"] == 40

    play(scenario, options())


def test_a_cutover_drops_and_reorders_the_last_second_once() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.cutover(drop=0.3, late=0.2, times=2)
        truth = list(fake.truth())
        for connection in range(2):
            spoilt = await everything(fake)
            record = fake.connections[connection]
            window = range(fake.store.settled(), fake.store.tip())
            assert 10 < len(record.dropped) < 60
            assert 5 < len(record.late) < 40
            assert set(record.dropped) | set(record.late) <= set(window)
            assert spoilt[: window.start] == truth[: window.start]
            assert sorted(spoilt) == sorted(f for i, f in enumerate(truth) if i not in record.dropped)
            assert [truth.index(frame) for frame in spoilt[-len(record.late) :]] == record.late
        assert fake.connections[0].dropped == fake.connections[1].dropped
        assert fake.lies.fired["cutover"] == 2
        assert await everything(fake) == truth

    play(scenario, options())


def test_a_clock_steps_back_for_good_and_v1_replays_in_time_order() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            assert fake.lies.rewind(3.0) == 1000
            fake.options.clock.advance(1.0)
            live = await take(socket, 90)
        assert json.loads(live[0])["time_us"] == TRAFFIC.time_us(1000) - 3_000_000
        replayed = await everything(fake)
        assert sorted(replayed) == sorted(fake.truth())
        times = [json.loads(frame)["time_us"] for frame in replayed]
        settled = fake.store.settled()
        assert times[:settled] == sorted(times[:settled])
        tail = await everything(fake, f"?cursor={times[0] + 8_500_000 - 3_000_000}")
        assert all(json.loads(frame)["time_us"] >= times[0] + 5_500_000 for frame in tail)
        assert fake.store.frame(1000) in replayed

    play(scenario, options())


def test_after_the_step_a_cursor_of_before_lies_in_the_future() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.rewind(3.0)
        assert await everything(fake, f"?cursor={TRAFFIC.time_us(990)}") == []

    play(scenario, options())


@pytest.mark.parametrize("view", [HostView(), HostView("v2", first_seq=1)])
def test_planted_frames_stay_where_they_are_in_every_replay(view: HostView) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        bad, worse = planted("bad_utf8"), Planted(bytes(range(256)), binary=True)
        assert fake.lies.plant(bad, before=400) == 400
        assert fake.lies.plant(worse, before=400) == 400
        truth = list(fake.truth())
        assert truth[400:402] == [bad.payload, worse.payload]
        for _ in range(2):
            assert await everything(fake) == truth
        here, past = (401, 404) if view.kind == "v2" else (TRAFFIC.time_us(400), TRAFFIC.time_us(401))
        assert await everything(fake, f"?cursor={here}") == truth[400:]
        assert await everything(fake, f"?cursor={past}") == truth[403 if view.kind == "v1" else 405 :]
        assert fake.lies.fired["plant"] == 6

    play(scenario, options(view))


def test_a_frame_planted_at_the_tip_arrives_once_and_before_the_next_event() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            nested = planted("nested", size=5_000)
            fake.lies.plant(nested)
            assert await take(socket, 1) == [nested.payload]
            fake.lies.plant(planted("huge", size=3))
            assert len((await take(socket, 1))[0]) > 3 << 20
            fake.options.clock.advance(0.5)
            assert await take(socket, 2) == [fake.store.frame(1000), fake.store.frame(1001)]

    play(scenario, options())


def test_every_hostile_frame_is_what_its_name_says() -> None:
    def parsed(name: str) -> Any:
        return json.loads(planted(name).payload.decode())

    for name in ("not_json", "empty", "bad_utf8", "raw_surrogate", "binary"):
        with pytest.raises(ValueError, match=r".*"):
            parsed(name)
    assert {name for name in HOSTILE if not planted(name).payload} == {"empty"}
    assert parsed("lone_surrogate")["commit"]["record"]["text"] == "\ud800"
    assert parsed("unknown_kind")["kind"] == "tombstone"
    assert parsed("time_too_big")["time_us"] > 2**63
    with pytest.raises(ValueError, match="is none of"):
        planted("polite")


@pytest.mark.parametrize("status", [400, 429, 503])
def test_refuse_the_next_connects(status: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.lies.refuse(2, status=status, body="not now")
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with subscribed(fake):
                    pass
            assert (refused.value.response.status_code, refused.value.response.body) == (status, b"not now")
        assert await everything(fake)
        assert [c.refused for c in fake.connections] == [status, status, None]
        assert fake.lies.fired["refuse"] == 2

    play(scenario, options())


def test_another_server_behind_the_same_name() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            fake.change_namespace(first_seq=77_000, offset_us=5)
            await drain(socket)
            assert socket.close_code == 1006
        first = json.loads((await everything(fake))[0])
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
        assert await everything(fake) == list(fake.truth())

    play(scenario, options())
