"""A fake Jetstream host as a process of its own, commanded over its control socket."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 20.0


class RefusedError(Exception):
    """A host did not take a command."""


@dataclass
class Host:
    """One host; `options` are those of `python -m testing.fakes.jetstream`, without dashes."""

    options: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    first_us: int = 0
    started: float = 0.0

    @property
    def address(self) -> str:
        """What INGEST_HOSTS is told."""
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens; the second time it goes on as if it had never stopped."""
        options = {**self.options, "port": str(self.port)}
        if self.started:
            options |= {"first-us": str(self.first_us), "started": str(self.started)}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "testing.fakes.jetstream", *words],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.first_us, self.started = said["first_us"], said["started"]

    def tell(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Give a command; returns the host's status after it."""
        with self.commanded() as tell:
            return tell(command, **arguments)

    @contextlib.contextmanager
    def commanded(self) -> Iterator[Callable[..., dict[str, Any]]]:
        """Give `tell` over one connection, which works also while the host is down."""
        with connect(f"ws://127.0.0.1:{self.port}/control", max_size=None) as control:

            def tell(command: str, **arguments: Any) -> dict[str, Any]:
                control.send(json.dumps({"do": command, **arguments}))
                said: dict[str, Any] = json.loads(control.recv())
                if not said["ok"]:
                    raise RefusedError(said["error"])
                return said

            yield tell

    def status(self) -> dict[str, Any]:
        """Return what has happened so far."""
        return self.tell("status")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None
