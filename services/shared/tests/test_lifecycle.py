"""Stopping: a signal sets it, every wait on it ends, and a second signal ends the process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from services.shared.lifecycle import Stopping, stopping_on_signals
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_SECONDS = 5.0
LONG = 60.0
PROGRAM = """
import sys, time
from services.shared.lifecycle import stopping_on_signals
with stopping_on_signals() as stopping:
    print("ready", flush=True)
    print("stopping", stopping.sleep(60), flush=True)
    if sys.argv[1] == "hangs":
        while True:
            time.sleep(60)
"""


@pytest.fixture
def program() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that starts a program which waits for a signal and then `ends` or `hangs`."""
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
def test_a_signal_ends_the_wait_and_the_program_ends_in_order(
    number: signal.Signals, program: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = program("ends")
    process.send_signal(number)
    output, _ = process.communicate(timeout=LONG)
    assert (output, process.returncode) == ("stopping True\n", 0)


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


def test_the_previous_signal_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stopping_on_signals() as stopping:
        assert not stopping
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_sleep_without_a_stop_returns_false() -> None:
    stopping = Stopping()
    assert stopping.sleep(0.01) is False
    assert stopping.sleep(-1) is False
    assert not stopping


def test_a_stop_ends_sleeps_in_other_threads_now_and_later() -> None:
    stopping = Stopping()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(stopping.sleep(LONG))) for _ in range(3)]
    for thread in threads:
        thread.start()
    stopping.set()
    for thread in threads:
        thread.join()
    assert woken == [True, True, True]
    assert stopping.sleep(LONG) is True, "a later sleep ends too"


def test_setting_it_repeatedly_changes_nothing() -> None:
    stopping = Stopping()
    for _ in range(100_000):
        stopping.set()
    assert stopping
    assert stopping.sleep(LONG)


def test_a_stop_wakes_any_number_of_tasks_and_later_ones() -> None:
    async def many() -> None:
        stopping = Stopping()
        waiters = [asyncio.create_task(stopping.wait()) for _ in range(50)]
        await asyncio.sleep(0)
        given_up = waiters.pop()
        given_up.cancel()
        asyncio.get_running_loop().call_soon(stopping.set)
        await asyncio.gather(*waiters)
        await stopping.wait()

    asyncio.run(asyncio.wait_for(many(), TIMEOUT_SECONDS))


def test_a_wait_after_stopping_returns() -> None:
    stopping = Stopping()
    stopping.set()
    asyncio.run(asyncio.wait_for(stopping.wait(), TIMEOUT_SECONDS))
