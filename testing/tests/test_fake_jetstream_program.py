"""The program: its ready line, its clock, commands over `/control`, a clean stop; and its speed."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import until
from testing.fakes.jetstream.settings import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FIRST = 1_783_175_888_000_000
BACKLOG = ("--first-us", str(FIRST), "--backlog", "10", "--seed", "4", "--rate", "100")


@contextmanager
def program(*words: str) -> Iterator[dict[str, Any]]:
    """Run the program; give its ready line and check that SIGTERM stops it cleanly."""
    command = [sys.executable, "-m", "testing.fakes.jetstream", *BACKLOG, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0


async def order(control: ClientConnection, do: str, **arguments: Any) -> dict[str, Any]:
    await control.send(json.dumps({"do": do, **arguments}))
    answer: dict[str, Any] = json.loads(await control.recv())
    return answer


def test_it_serves_the_traffic_it_was_asked_for() -> None:
    view = HostView("v2", offset_us=9, first_seq=500)
    traffic = Traffic(seed=4, first_us=FIRST, rate=100.0, total=1_000)

    async def scenario(place: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(place["url"] + "?cursor=500", compression=None) as tail:
            assert [await tail.recv(decode=False) for _ in range(1_000)] == list(traffic.truth(view))

    with program("--kind=v2", "--first-seq=500", "--offset-us=9", "--events=1000") as place:
        asyncio.run(scenario(place))


def test_it_obeys_and_reports_over_control() -> None:
    async def scenario(place: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(place["control"]) as control:
            raw = base64.b64encode(b"{").decode()
            assert (await order(control, "plant", payload=raw, before=3))["result"] == 3
            assert (await order(control, "plant", what="nested", size=2000, before=3))["ok"]
            assert (await order(control, "hang_up", code=1000, after=10))["ok"]
            async with connect(place["url"] + "?cursor=0", compression=None) as tail:
                frames = [frame async for frame in tail]
            assert len(frames) == 10
            assert frames[3] == "{"
            status = await order(control, "status")
            assert status["fired"] == {"plant": 2, "hang_up": 1}
            assert status["plants"] == {"3": 2}
            assert status["connections"][0]["cursor"] == "0"
            assert status["connections"][0]["sent"] == 10
            assert status["tip"] == 1_000
            assert (await order(control, "rewind", seconds=2))["rewinds"] == [[1_000, 2_000_000]]

    with program("--speed", "0") as place:
        asyncio.run(scenario(place))


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"do":"dance"}', '{"do":"hang_up","now":true}', '{"do":"plant","what":"polite"}']
)
def test_a_command_it_does_not_understand_is_answered(message: str) -> None:
    async def scenario(place: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(place["control"]) as control:
            await control.send(message)
            assert json.loads(await control.recv())["ok"] is False
            assert (await order(control, "status"))["ok"]

    with program() as place:
        asyncio.run(scenario(place))


def test_it_goes_down_and_comes_up_by_command() -> None:
    async def scenario(place: dict[str, Any]) -> None:
        async with asyncio.timeout(20), connect(place["control"]) as control:
            assert (await order(control, "down"))["fired"] == {"down": 1}
            with pytest.raises(OSError, match=r".*"):
                await connect(place["url"], compression=None)
            assert (await order(control, "up"))["ok"]
            assert (await order(control, "down", seconds=0.05))["ok"]
            await until(lambda: _listens(place["port"]))
            async with connect(place["url"], compression=None, close_timeout=1) as tail:
                assert await tail.recv()

    with program() as place:
        asyncio.run(scenario(place))


def _listens(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


def test_time_can_run_faster_and_go_on_from_an_earlier_start() -> None:
    fast = Clock(FIRST, backlog_s=5.0, speed=1_000.0, started=time.time() - 2.0)
    assert fast.now_us() - FIRST == pytest.approx(2_005_000_000, rel=0.01)
    assert fast.wall_s(3_000_000) == pytest.approx(0.003)
    fast.advance(60.0)
    assert fast.now_us() - FIRST == pytest.approx(2_065_000_000, rel=0.01)


def test_a_replay_is_fast() -> None:
    async def scenario(place: dict[str, Any]) -> None:
        async with connect(place["url"] + "?cursor=0", compression=None, max_queue=1_000) as tail:
            began = time.perf_counter()
            for _ in range(20_000):
                await tail.recv(decode=False)
            # About 28,000 a second with a core to itself; the bound leaves room for a busy machine.
            assert 20_000 / (time.perf_counter() - began) > 3_000

    with program("--backlog", "220") as place:
        asyncio.run(scenario(place))
