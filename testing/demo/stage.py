"""The running pipeline under a view: watched until something comes about, ended in order."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import redis

from testing.demo.look import Look, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.demo.view import View
    from testing.harness.daemons import Daemon
    from testing.harness.pipeline import Pipeline

LOOK_SECONDS = 0.4
LAST_LINES = 5


class DemoError(Exception):
    """The demo cannot go on or has not come about; the message says where to look."""


class Stage:
    """A started pipeline and the view of it."""

    def __init__(self, pipeline: Pipeline, view: View) -> None:
        self.pipeline = pipeline
        self.view = view
        self._last: Look | None = None

    def watch(
        self,
        until: Callable[[], bool],
        deadline: float,
        phase: str,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Show the pipeline until the condition holds; raises DemoError at the monotonic `deadline`.

        Also raises it when one of the daemons or Redis ends by itself.
        """
        while True:
            self._last = look(self.pipeline.ingester, self.pipeline.writer, self._last)
            self.view.show(self._last, phase)
            if until():
                return
            self._refuse_dead()
            if time.monotonic() > deadline:
                raise DemoError(f"this did not come about in time: {phase}\n{self._last_words()}")
            if meanwhile is not None:
                meanwhile()
            # The pace of a picture for a person; what is waited for is asked at each.
            threading.Event().wait(LOOK_SECONDS)

    def stop(self, daemon: Daemon, name: str) -> None:
        """Ask a daemon to end; raises DemoError unless it does, with exit code 0."""
        code = daemon.stop()
        self.view.note(f"SIGTERM: the {name} ended with exit code {code}")
        if code != 0:
            raise DemoError(f"the {name} ended with exit code {code}\n{self._last_words()}")

    def pushed(self) -> int:
        """Return the different events in Redis or beyond; -1 while Redis does not answer."""
        try:
            return self.pipeline.distinct()
        except redis.RedisError:
            return -1

    def rejected(self) -> int:
        """Return the different rejects that the ingester pushed."""
        try:
            return self.pipeline.pushed().get("rejects:pushed", 0)
        except redis.RedisError:
            return -1

    def is_committed(self) -> bool:
        """Whether Redis holds nothing that is not committed."""
        try:
            return self.pipeline.waiting() == 0
        except redis.RedisError:
            return False

    def reconnects(self) -> int:
        """Return how many connections ended so far."""
        return 0 if self._last is None else int(self._last.total("archive_receive_reconnects_total"))

    def repeats(self) -> int:
        """Return how many repeats were dropped so far."""
        return 0 if self._last is None else int(self._last.total("archive_validate_duplicates_total"))

    def _refuse_dead(self) -> None:
        for name, daemon in (("ingester", self.pipeline.ingester), ("writer", self.pipeline.writer)):
            if not daemon.is_alive:
                raise DemoError(f"the {name} ended by itself\n{self._last_words()}")

    def _last_words(self) -> str:
        words = []
        for daemon in (self.pipeline.ingester, self.pipeline.writer):
            lines = daemon.log.read_text(errors="replace").splitlines() if daemon.log.exists() else []
            words += [f"{daemon.log}:", *(f"  {line}" for line in lines[-LAST_LINES:])]
        return "\n".join(words)
