"""Lies that change the record, planted frames and rewinds: every replay tells them alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from testing.events import HostView, Traffic
from testing.fakes.jetstream import FakeJetstream, Options, Planted, planted
from testing.fakes.jetstream.client import everything, play, stopped_clock, subscribed, take, until
from testing.fakes.jetstream.hostile import HOSTILE

FIRST = 1_783_175_888_000_000
TRAFFIC = Traffic(seed=6, first_us=FIRST, rate=100.0)
ALL = "?cursor=0"


def options(view: HostView | None = None) -> Options:
    return Options(source=TRAFFIC, clock=stopped_clock(FIRST, 10.0), view=view or HostView(), seed=3)


def test_a_clock_steps_back_for_good_and_v1_replays_in_time_order() -> None:
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


def test_after_the_step_a_cursor_of_before_lies_in_the_future() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.rewind(3.0)
        assert await everything(fake, f"?cursor={TRAFFIC.time_us(990)}") == []

    play(scenario, options())


@pytest.mark.parametrize("view", [HostView(), HostView("v2", first_seq=1)])
def test_planted_frames_stay_where_they_are_in_every_replay(view: HostView) -> None:
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
