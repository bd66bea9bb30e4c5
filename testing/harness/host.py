"""A fake Jetstream host as a process, controlled over its control socket."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testing.fakes.jetstream.client import control_connection, send_command
from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from testing.fakes.jetstream.client import Control

START_SECONDS = 20.0


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
        """Its entry in INGEST_HOSTS."""
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens; a restarted host continues its event time."""
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
        ready = json.loads(self.process.stdout.readline())
        self.first_us, self.started = ready["first_us"], ready["started"]

    @property
    def control_address(self) -> str:
        """Address of its control socket."""
        return f"{self.address}/control"

    def send(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a control command; returns the host's status after it."""
        return send_command(self.control_address, command, **arguments)

    def control(self) -> AbstractContextManager[Control]:
        """Open a control connection, which works also while the host is down."""
        return control_connection(self.control_address)

    def status(self) -> dict[str, Any]:
        """Return its status."""
        return self.send("status")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None
