"""Orderly stop: signals set a Stopping, which is passed to everything that waits and wakes it at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopping:
    """True once a stop was requested, by a signal or by `set`.

    It is a pipe because threading.Event.set() takes a lock that the interrupted main thread may hold.
    """

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._writable, False)
        self._is_set = False
        self._woken: asyncio.Event | None = None

    def __bool__(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """Request the stop: every wait ends, now and later. Safe in a signal handler."""
        if not self._is_set:
            self._is_set = True
            os.write(self._writable, b"x")

    def sleep(self, seconds: float) -> bool:
        """Wait up to `seconds`; return True as soon as stopping, else False."""
        ready, _, _ = select.select([self._readable], [], [], max(0.0, seconds))
        return bool(ready)

    async def wait(self) -> None:
        """Wait until stopping; any number of tasks of one event loop may."""
        if self._woken is None:
            # One reader for all tasks: an event loop keeps only one callback per descriptor.
            self._woken = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(self._readable, self._wake, loop, self._woken)
        await self._woken.wait()

    def _wake(self, loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
        loop.remove_reader(self._readable)
        woken.set()


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[Stopping]:
    """Yield a Stopping that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stopping = Stopping()

    def stop(number: int, _frame: object) -> None:
        if stopping:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
