"""The fake host as a program: ready line, clock, commands, changes of its rate, a clean stop."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect

from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import (
    decode_answer,
    encode_command,
    play,
    stopped_clock,
    subscribed,
    take,
    until,
)
from testing.fakes.jetstream.settings import Clock, Options
from testing.fakes.jetstream.sources import paced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.fakes.jetstream import FakeJetstream


ROOT = Path(__file__).resolve().parents[2]
FIRST = 1_783_175_888_000_000
BACKLOG = ("--first-us", str(FIRST), "--backlog", "10", "--seed", "4", "--rate", "100")
FIRST_US = 1_783_175_888_000_000
CHANGES = st.lists(st.tuples(st.integers(0, 300), st.floats(0.5, 20_000)), max_size=6)


@contextmanager
def program(*words: str) -> Iterator[dict[str, Any]]:
    """Run the program; yield its ready line and check that SIGTERM stops it cleanly."""
    command = [sys.executable, "-m", "testing.fakes.jetstream", *BACKLOG, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0


async def send(control: ClientConnection, command: str, **arguments: Any) -> dict[str, Any]:
    await control.send(encode_command(command, arguments))
    return decode_answer(await control.recv())


def test_the_program_sends_the_traffic_of_its_options() -> None:
    view = HostView("v2", offset_us=9, first_seq=500)
    traffic = Traffic(seed=4, first_us=FIRST, rate=100.0, total=1_000)

    async def scenario(ready: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(ready["url"] + "?cursor=500", compression=None) as tail:
            assert [await tail.recv(decode=False) for _ in range(1_000)] == list(traffic.truth(view))

    with program("--kind=v2", "--first-seq=500", "--offset-us=9", "--events=1000") as ready:
        asyncio.run(scenario(ready))


def test_commands_over_control_are_carried_out_and_reported() -> None:
    async def scenario(ready: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(ready["control"]) as control:
            raw = base64.b64encode(b"{").decode()
            assert (await send(control, "plant", payload=raw, before=3))["result"] == 3
            assert (await send(control, "plant", what="nested", size=2000, before=3))["ok"]
            assert (await send(control, "hang_up", code=1000, after=10))["ok"]
            async with connect(ready["url"] + "?cursor=0", compression=None) as tail:
                frames = [frame async for frame in tail]
            assert len(frames) == 10
            assert frames[3] == "{"
            status = await send(control, "status")
            assert status["fired"] == {"plant": 2, "hang_up": 1}
            assert status["plants"] == {"3": 2}
            assert status["connections"][0]["cursor"] == "0"
            assert status["connections"][0]["sent"] == 10
            assert status["tip"] == 1_000
            assert (await send(control, "rewind", seconds=2))["rewinds"] == [[1_000, 2_000_000]]

    with program("--speed", "0") as ready:
        asyncio.run(scenario(ready))


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"do":"dance"}', '{"do":"hang_up","now":true}', '{"do":"plant","what":"polite"}']
)
def test_an_invalid_command_is_answered_with_an_error(message: str) -> None:
    async def scenario(ready: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(ready["control"]) as control:
            await control.send(message)
            assert json.loads(await control.recv())["ok"] is False
            assert (await send(control, "status"))["ok"]

    with program() as ready:
        asyncio.run(scenario(ready))


def test_commands_take_the_host_down_and_up() -> None:
    async def scenario(ready: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(ready["control"]) as control:
            assert (await send(control, "down"))["fired"] == {"down": 1}
            with pytest.raises(OSError, match=r".*"):
                await connect(ready["url"], compression=None)
            assert (await send(control, "up"))["ok"]
            assert (await send(control, "down", seconds=0.05))["ok"]
            await until(lambda: _listens(ready["port"]))
            async with connect(ready["url"], compression=None, close_timeout=1) as tail:
                assert await tail.recv()

    with program() as ready:
        asyncio.run(scenario(ready))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_clock_can_run_faster_and_continue_from_an_earlier_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_002.0)
    fast = Clock(FIRST, backlog_s=5.0, speed=1_000.0, started=1_000.0)
    assert fast.now_us() - FIRST == 2_005_000_000
    assert fast.wall_s(3_000_000) == pytest.approx(0.003)
    fast.advance(60.0)
    assert fast.now_us() - FIRST == 2_065_000_000


def test_a_large_replay_is_complete_and_in_order() -> None:
    traffic = Traffic(seed=4, first_us=FIRST, rate=100.0)

    async def scenario(ready: dict[str, Any]) -> None:
        async with connect(ready["url"] + "?cursor=0", compression=None, max_queue=1_000) as tail:
            received = [await tail.recv(decode=False) for _ in range(20_000)]
        assert received == [traffic.frame(i, HostView()) for i in range(20_000)]

    with program("--backlog", "220") as ready:
        asyncio.run(scenario(ready))


@given(changes=CHANGES, rate=st.floats(1, 5_000))
def test_with_changed_rates_times_increase_and_index_at_is_their_inverse(
    changes: list[tuple[int, float]], rate: float
) -> None:
    traffic, tip = paced(Traffic(1, FIRST_US, rate)), 0
    for further, new_rate in changes:
        tip += further
        traffic = traffic.with_rate(tip, new_rate)
    times = [traffic.time_us(i) for i in range(tip + 300)]
    assert all(before < after for before, after in itertools.pairwise(times))
    for i, at in enumerate(times):
        assert traffic.index_at(at) == i
        assert traffic.index_at(at + 1) == i + 1


@given(tip=st.integers(0, 1_000), rate=st.floats(1, 5_000), new_rate=st.floats(0.5, 20_000))
def test_a_change_of_rate_does_not_change_past_events(tip: int, rate: float, new_rate: float) -> None:
    before = Traffic(1, FIRST_US, rate)
    after = paced(before).with_rate(tip, new_rate)
    view = HostView()
    for i in {0, tip // 2, tip}:
        assert after.frame(i, view) == before.frame(i, view)


def test_a_change_that_has_not_taken_effect_is_replaced() -> None:
    traffic = paced(Traffic(1, FIRST_US, 1.0)).with_rate(5, 10.0).with_rate(5, 20.0)
    assert [change.milli for change in traffic.changes] == [20_000]


@pytest.mark.parametrize("speed", [1.0, 8.0])
def test_rate_changes_of_several_clients_add_up(speed: float) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.options.clock.speed = speed
        assert fake.store.pace(300.0) == pytest.approx(300.0 + 8.0 * speed)
        assert fake.store.pace(400.0) == pytest.approx(700.0 + 8.0 * speed)
        fake.options.clock.speed = 0.0
        tip = fake.store.tip()
        fake.options.clock.advance(10 * speed)
        # All but the one event that still came at the old rate, up to a second of a share.
        assert fake.store.tip() - tip == pytest.approx(7_000 + 80 * speed, rel=0.03)
        async with subscribed(fake, f"?cursor={FIRST_US}") as socket:
            frames = await take(socket, 100)
        source = fake.store.source
        assert isinstance(source, Traffic)
        assert frames == [source.frame(i, HostView()) for i in range(100)]

    clock = stopped_clock(FIRST_US, 20.0)
    play(scenario, Options(source=Traffic(1, FIRST_US, 8.0), clock=clock))
