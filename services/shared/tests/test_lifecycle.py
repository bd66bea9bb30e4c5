"""Stopping: a signal sets it, every wait on it wakes at once, a second signal ends the process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from services.shared.lifecycle import Stopping, stopping_on_signals
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 5.0
LONG = 60.0
PROGRAM = """
import sys, time
from services.shared.lifecycle import stopping_on_signals
with stopping_on_signals() as stopping:
    print("ready", flush=True)
    began = time.monotonic()
    stopping.sleep(60)
    assert time.monotonic() - began < 30
    print("stopping", bool(stopping), flush=True)
    if sys.argv[1] == "hangs":
        while True:
            time.sleep(60)
"""


@pytest.fixture
def program() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a program that pauses until a signal; the word says whether it hangs then."""
    started: list[subprocess.Popen[str]] = []

    def start(word: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, word], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_wakes_the_pause_and_the_program_ends_in_order(
    number: signal.Signals, program: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = program("ends")
    process.send_signal(number)
    said, _ = process.communicate(timeout=LONG)
    assert (said, process.returncode) == ("stopping True\n", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_program_that_hangs(
    number: signal.Signals, program: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = program("hangs")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping True\n"
    process.send_signal(number)
    assert process.wait(timeout=LONG) == -number


def test_the_handlers_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stopping_on_signals() as stopping:
        assert not stopping
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_pause_ends_by_itself_when_nobody_stops() -> None:
    stopping = Stopping()
    assert stopping.sleep(0.01) is False
    assert stopping.sleep(-1) is False
    assert not stopping


def test_a_pause_in_another_thread_wakes_at_once_and_for_good() -> None:
    stopping = Stopping()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(stopping.sleep(LONG))) for _ in range(3)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    stopping.set()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < AT_ONCE
    assert woken == [True, True, True]
    assert stopping.sleep(LONG) is True, "and from now on"


def test_setting_it_again_changes_nothing() -> None:
    stopping = Stopping()
    for _ in range(100_000):
        stopping.set()
    assert stopping
    assert stopping.sleep(LONG)


def test_any_number_of_tasks_wake_at_once_and_late_ones_too() -> None:
    async def many() -> None:
        stopping = Stopping()
        waiters = [asyncio.create_task(stopping.wait()) for _ in range(50)]
        await asyncio.sleep(0)
        given_up = waiters.pop()
        given_up.cancel()
        asyncio.get_running_loop().call_soon(stopping.set)
        await asyncio.gather(*waiters)
        await stopping.wait()

    asyncio.run(asyncio.wait_for(many(), AT_ONCE))


def test_a_wait_that_begins_after_stopping_returns() -> None:
    stopping = Stopping()
    stopping.set()
    asyncio.run(asyncio.wait_for(stopping.wait(), AT_ONCE))
