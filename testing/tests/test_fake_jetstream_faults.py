"""Faults of the fake host: each happens, is counted, and loses no event; clock steps and planted frames."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from testing.events import HostView, Traffic
from testing.fakes.jetstream import FakeJetstream, Options, Planted, planted
from testing.fakes.jetstream.client import drain, everything, play, stopped_clock, subscribed, take, until
from testing.fakes.jetstream.hostile import HOSTILE

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
def test_hang_up_after_a_number_of_frames_happens_once(code: int) -> None:
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


def test_blind_leaves_collections_out_until_see() -> None:
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


def test_change_namespace_acts_as_another_server() -> None:
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


def test_after_its_end_the_traffic_is_silent() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        total = fake.store.tip() + 10
        fake.store.end(total)
        fake.options.clock.advance(60.0)
        assert len(await everything(fake, ALL)) == total
        with pytest.raises(ValueError, match="already"):
            fake.store.end(total - 1)

    play(scenario, options())


def test_a_clock_step_is_permanent_and_v1_replays_in_time_order() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            assert fake.faults.rewind(3.0) == 1000
            fake.options.clock.advance(1.0)
            live = await take(socket, 90)
        assert json.loads(live[0])["time_us"] == TRAFFIC.time_us(1000) - 3_000_000
        replayed = await everything(fake, ALL)
        assert sorted(replayed) == sorted(fake.truth())
        times = [json.loads(frame)["time_us"] for frame in replayed]
        replayable = fake.store.before_cutover()
        assert times[:replayable] == sorted(times[:replayable])
        tail = await everything(fake, f"?cursor={times[0] + 8_500_000 - 3_000_000}")
        assert all(json.loads(frame)["time_us"] >= times[0] + 5_500_000 for frame in tail)
        assert fake.store.frame(1000) in replayed

    play(scenario, options())


def test_after_a_clock_step_an_earlier_cursor_is_in_the_future() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.rewind(3.0)
        assert await everything(fake, f"?cursor={TRAFFIC.time_us(990)}") == []

    play(scenario, options())


@pytest.mark.parametrize("view", [HostView(), HostView("v2", first_seq=1)])
def test_planted_frames_keep_their_place_in_every_replay(view: HostView) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        bad, worse = planted("bad_utf8"), Planted(bytes(range(256)), binary=True)
        assert fake.faults.plant(bad, before=400) == 400
        assert fake.faults.plant(worse, before=400) == 400
        truth = list(fake.truth())
        assert truth[400:402] == [bad.payload, worse.payload]
        for _ in range(2):
            assert await everything(fake, ALL) == truth
        here, past = (401, 404) if view.kind == "v2" else (TRAFFIC.time_us(400), TRAFFIC.time_us(401))
        before = 400 if view.kind == "v2" else TRAFFIC.time_us(399)
        assert await everything(fake, f"?cursor={before}") == truth[399:]
        assert await everything(fake, f"?cursor={here}") == truth[402:], (
            "older than the event that is asked for"
        )
        assert await everything(fake, f"?cursor={past}") == truth[403 if view.kind == "v1" else 405 :]
        assert fake.faults.fired["plant"] == 6

    play(scenario, options(view))


def test_a_frame_planted_at_the_tip_arrives_once_and_before_the_next_event() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            nested = planted("nested", size=5_000)
            fake.faults.plant(nested)
            assert await take(socket, 1) == [nested.payload]
            fake.faults.plant(planted("huge", size=3))
            assert len((await take(socket, 1))[0]) > 3 << 20
            fake.options.clock.advance(0.5)
            assert await take(socket, 2) == [fake.store.frame(1000), fake.store.frame(1001)]

    play(scenario, options())


def test_every_hostile_frame_matches_its_name() -> None:
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
